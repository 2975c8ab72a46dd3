/* One op while it is asked about or run. An op is one function: it takes its views and weights
 * through a call, which checks them, asks for its scratch, and goes on only if begin() says so. The
 * same function thus answers op_support, workspace_size and enqueue. The first failed check is
 * kept; what follows it does nothing. */
#ifndef EXAMPLE_CALL_H
#define EXAMPLE_CALL_H

#include "objects.h"

enum { T_F32 = 1, T_I32 = 2, T_F16 = 4, T_BF16 = 8, T_KV = 16, T_INDEX = 32 };
enum { T_ROWS = T_F32 | T_F16 | T_BF16 | T_KV | T_INDEX };
typedef enum { USE_INPUT, USE_OUTPUT, USE_IN_PLACE } use;

typedef struct {
  const ds4_device* device;
  const ds4_op* op;
  bool is_running; /* false at plan time: ranges are unknown, buffers may be missing */
  uint32_t first, end;
  unsigned char* workspace;
  uint64_t workspace_bytes, scratch_bytes;
  ds4_status status;
  char text[256];
  struct {
    const ds4_view* view;
    use how;
  } seen[24];
  uint32_t seen_count;
} call;

/* Addresses of a view's rows. row_at: a row of the step (and vector k of it); entry_at: row i of a
 * list of rows, where a rank-3 view [a, b, width] counts (i / b, i % b). */
typedef struct {
  unsigned char* base;
  uint64_t stride0, stride1;
  uint32_t middle, width, entries, first_row, dtype, tail;
} rows;

unsigned char* row_at(const rows* r, uint32_t row, uint32_t k);
unsigned char* entry_at(const rows* r, uint32_t i);
float* f32_at(const rows* r, uint32_t row, uint32_t k);
int32_t* i32_at(const rows* r, uint32_t row);

bool has(const call* c, const ds4_view* v);
void refuse(call* c, ds4_status status, const char* text, long long value);
/* Refuses with the value unless the condition holds; gives the condition back. */
bool require(call* c, bool condition, const char* text, long long value);

/* A view indexed by rows of the step, of rank lowest..highest; one that is not; one i32 a row. */
rows take_rows(call* c, const ds4_view* v, uint32_t types, uint32_t lowest, uint32_t highest,
               use how);
rows take_table(call* c, const ds4_view* v, uint32_t types, uint32_t lowest, uint32_t highest,
                use how);
rows take_list(call* c, const ds4_view* v, use how);
void same_shape(call* c, const ds4_view* y, const ds4_view* x);
/* A weight of rank lowest..highest and of this width; null is legal at plan time only. */
void check_weight(call* c, const ds4_weight* w, uint32_t lowest, uint32_t highest, uint32_t width,
                  bool is_i32);
void check_vector(call* c, const ds4_weight* w, uint32_t values);

void* scratch(call* c, uint64_t values, uint64_t bytes_each);
bool begin(call* c);

uint32_t width_of(const ds4_view* v);
uint32_t vectors_of(const ds4_view* v);

/* What an op id stands for; lists end with id 0. */
typedef struct {
  uint32_t id, bytes, flags;
  void (*run)(call* c, const void* op);
} op_entry;
extern const op_entry plain_ops[], model_ops[], attention_ops[];

#endif
