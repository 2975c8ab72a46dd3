/* A library that the test does not ship. */
int ds4_test_gone(void);
int ds4_test_gone(void) {
  return 1;
}
