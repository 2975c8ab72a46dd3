/* Prints the binary layout of the ABI, one fact a line: compared with abi-0.layout. Compiled as C
 * and as C++; both must print the same. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ds4/ops.h"

#ifdef __cplusplus
#define ALIGNMENT(type) alignof(type)
#else
#define ALIGNMENT(type) _Alignof(type)
#endif

#define STRUCT(type) printf("struct %s size %zu align %zu\n", #type, sizeof(type), ALIGNMENT(type));
#define FIELD(type, field)                                                      \
  printf("  %s.%s offset %zu size %zu\n", #type, #field, offsetof(type, field), \
         sizeof(((type*)0)->field));
#define CONSTANT(name) printf("constant %s %" PRIu64 "\n", #name, (uint64_t)(name));

int main(void) {
#include "backend_layout.inc"
#include "ops_layout.inc"
  return 0;
}
