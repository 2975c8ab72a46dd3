/* Small floating-point formats, weights value by value, and stored rows; see formats.c. */
#ifndef EXAMPLE_FORMATS_H
#define EXAMPLE_FORMATS_H

#include "objects.h"

#define HALF 10 /* fraction bits of F16 */
#define BFLOAT 7

float from_16(uint16_t bits, int fraction);
uint16_t to_16(float value, int fraction);

/* Value i of a row in F32, F16 or BF16. */
float plain_value(uint32_t dtype, const unsigned char* row, uint64_t i);

/* A block of values that shares a power of two (ds4_rounding): e4m3 of 64, or e2m1 of 32. */
void round_block(bool is_fp8, float* x, uint32_t n);

/* Bytes of one row of `width` values of any row dtype, and its values. */
uint64_t row_bytes(uint32_t dtype, uint32_t width, uint32_t tail);
void decode_row(uint32_t dtype, uint32_t tail, const unsigned char* in, uint32_t width, float* out);
void encode_row(uint32_t dtype, uint32_t tail, const float* in, uint32_t width, unsigned char* out);

#endif
