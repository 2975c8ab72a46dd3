// The same program as C++; see layout.c.
#include "layout.c"
