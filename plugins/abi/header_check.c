/* The public headers compile alone, as C11 and as C++20, without a warning and without padding. */
#include DS4_CHECKED_HEADER

int ds4_abi_header_check(void);
int ds4_abi_header_check(void) {
  return 0;
}
