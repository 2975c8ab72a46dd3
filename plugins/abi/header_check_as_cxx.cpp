// The same check as C++; see header_check.c.
#include "header_check.c"
