// Does nothing: the target that compiles it makes the precompiled header of all tests.
int main() {}
