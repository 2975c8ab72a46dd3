// Descriptors and calls that must be refused with a code and a text that names op and field.
#include <boost/test/unit_test.hpp>
#include <functional>

#include "tests/conformance/reference/fixture.hpp"

namespace {

ds4_op_matmul sound_matmul(Reference& r) {
  auto op = make_op<ds4_op_matmul>(DS4_OP_MATMUL, 2);
  op.weight = r.weight(DS4_ROLE_MATRIX, {3, 4}, std::vector<float>(12, 1.0F));
  op.x = r.floats({2, 4}, std::vector<float>(8, 1.0F));
  op.y = r.tensor(DS4_DTYPE_F32, {2, 3});
  return op;
}

ds4_op_attention sound_attention(Reference& r) {
  auto op = make_op<ds4_op_attention>(DS4_OP_ATTN_DECODE, 1);
  op.q = r.floats({1, 1, 2}, {1, 1});
  op.y = r.tensor(DS4_DTYPE_F32, {1, 1, 2});
  op.source[0] =
      range_source(r.floats({4, 2}, std::vector<float>(8, 1.0F)), r.ints({1, 2}, {0, 2}));
  op.scale = 1;
  return op;
}

/// Runs one broken op, expects the code and the words, then a sound op to work still.
template <class Op>
void refuse(Reference& r, const Op& op, ds4_status code, const char* words) {
  BOOST_TEST_CONTEXT(words) {
    BOOST_TEST(r.run(op) == code);
    BOOST_TEST(r.error().code == code);
    BOOST_TEST(r.text().find(words) != std::string::npos, "text is: " << r.text());
  }
  auto sound = sound_matmul(r);
  BOOST_TEST(r.run(sound) == DS4_OK, r.text());
}

/// Breaks a sound matmul in one way.
void refuse_matmul(ds4_status code, const char* words,
                   const std::function<void(Reference&, ds4_op_matmul&)>& damage) {
  Reference r;
  auto op = sound_matmul(r);
  damage(r, op);
  refuse(r, op, code, words);
}
void refuse_attention(ds4_status code, const char* words,
                      const std::function<void(Reference&, ds4_op_attention&)>& damage) {
  Reference r;
  auto op = sound_attention(r);
  BOOST_TEST(r.run(op) == DS4_OK, r.text());
  damage(r, op);
  refuse(r, op, code, words);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refusals)

BOOST_AUTO_TEST_CASE(broken_headers_are_refused) {
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "struct_size 8 is below",
                [](Reference&, ds4_op_matmul& op) { op.op.struct_size = 8; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "matmul: struct_size",
                [](Reference&, ds4_op_matmul& op) { op.op.struct_size -= 8; });
  refuse_matmul(DS4_E_UNSUPPORTED, "unknown op id 50",
                [](Reference&, ds4_op_matmul& op) { op.op.id = 50; });
  refuse_matmul(DS4_E_UNSUPPORTED, "unknown op id",
                [](Reference&, ds4_op_matmul& op) { op.op.id = 0xffffffffu; });
  refuse_matmul(DS4_E_UNSUPPORTED, "flags: unknown bits",
                [](Reference&, ds4_op_matmul& op) { op.op.flags = 2; });
}

BOOST_AUTO_TEST_CASE(broken_views_are_refused) {
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "matmul: x is absent",
                [](Reference&, ds4_op_matmul& op) { op.x.buffer = nullptr; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "matmul: weight is null",
                [](Reference&, ds4_op_matmul& op) { op.weight = nullptr; });
  refuse_matmul(DS4_E_UNSUPPORTED, "x: unknown dtype 77",
                [](Reference&, ds4_op_matmul& op) { op.x.dtype = 77; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "y: dtype I32",
                [](Reference&, ds4_op_matmul& op) { op.y.dtype = DS4_DTYPE_I32; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "x: rank 0",
                [](Reference&, ds4_op_matmul& op) { op.x.rank = 0; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "x: rank 5",
                [](Reference&, ds4_op_matmul& op) { op.x.rank = 5; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "x: rank 1 where 2",
                [](Reference&, ds4_op_matmul& op) { op.x.rank = 1; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "weight: extent 1 is 4 where 3",
                [](Reference&, ds4_op_matmul& op) { op.x.extent[1] = 3; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "y: width 2 where 3",
                [](Reference&, ds4_op_matmul& op) { op.y.extent[1] = 2; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "x: offset 4",
                [](Reference&, ds4_op_matmul& op) { op.x.offset = 4; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "x: offset 2 is not a multiple",
                [](Reference&, ds4_op_matmul& op) { op.x.offset = 2; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "go beyond a buffer",
                [](Reference&, ds4_op_matmul& op) { op.x.offset = ~0ull - 3; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "go beyond a buffer",
                [](Reference&, ds4_op_matmul& op) { op.y.stride[0] = 1ull << 63; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "innermost stride 8",
                [](Reference&, ds4_op_matmul& op) { op.x.stride[1] = 8; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "stride 18 is not a multiple",
                [](Reference&, ds4_op_matmul& op) { op.x.stride[0] = 18; });
}

BOOST_AUTO_TEST_CASE(broken_ranges_are_refused) {
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "do not cover rows 0 to 3",
                [](Reference&, ds4_op_matmul& op) { op.rows.max = 3; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "do not cover",
                [](Reference&, ds4_op_matmul& op) { op.rows.begin = 1; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "do not cover",
                [](Reference&, ds4_op_matmul& op) { op.x.first_row = 1; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "names word 0 of a step block of 0",
                [](Reference&, ds4_op_matmul& op) { op.rows.count_slot = 0; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "are out of range",
                [](Reference&, ds4_op_matmul& op) { op.rows.begin = 0xffffffffu; });
  refuse_matmul(DS4_E_INVALID_ARGUMENT, "first row -1", [](Reference& r, ds4_op_matmul& op) {
    r.step.assign(DS4_STEP_HEADER_WORDS, -1);
    op.rows.begin_slot = DS4_STEP_DECODE_ROWS;
  });
}

BOOST_AUTO_TEST_CASE(broken_sources_are_refused) {
  refuse_attention(DS4_E_UNSUPPORTED, "source[0].kind: unknown value 9",
                   [](Reference&, ds4_op_attention& op) { op.source[0].kind = 9; });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "source[2].kind: 1 is not taken",
                   [](Reference&, ds4_op_attention& op) { op.source[2].kind = DS4_SOURCE_LIST; });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "source[0]: width 3 where 2",
                   [](Reference& r, ds4_op_attention& op) {
                     op.source[0].rows = r.floats({1, 3}, {1, 1, 1});
                   });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "source slot is absent",
                   [](Reference&, ds4_op_attention& op) { op.source[0].wrap = 4; });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "page_rows is 0",
                   [](Reference& r, ds4_op_attention& op) {
                     op.source[0].kind = DS4_SOURCE_PAGES;
                     op.source[0].slot = r.ints({1}, {0});
                   });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "rope.dims: 3",
                   [](Reference&, ds4_op_attention& op) { op.rope.dims = 3; });
  refuse_attention(DS4_E_UNSUPPORTED, "rope.flags",
                   [](Reference&, ds4_op_attention& op) { op.rope.flags = 8; });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "scale is no finite number",
                   [](Reference&, ds4_op_attention& op) { op.scale = 1.0 / 0.0; });
}

BOOST_AUTO_TEST_CASE(wrong_indices_in_memory_are_refused) {
  refuse_attention(DS4_E_INVALID_ARGUMENT, "source[0] of row 0 is 4",
                   [](Reference& r, ds4_op_attention& op) {
                     op.source[0].list = r.ints({1, 2}, {3, 2});
                   });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "source[0] of row 0 is -5",
                   [](Reference& r, ds4_op_attention& op) {
                     op.source[0].list = r.ints({1, 2}, {-5, 1});
                   });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "source[0] of row 0 is 5, there are 4",
                   [](Reference& r, ds4_op_attention& op) {
                     op.source[0].list = r.ints({1, 2}, {0, 5});
                   });
  refuse_attention(DS4_E_INVALID_ARGUMENT, "source[0] of row 0 is -1",
                   [](Reference& r, ds4_op_attention& op) {
                     op.source[0].list = r.ints({1, 2}, {0, -1});
                   });
  Reference r;
  for (const std::int32_t id : {-2, 3, 0x7fffffff}) {
    auto gather = make_op<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS, 1);
    gather.x = r.floats({3, 1}, {1, 2, 3});
    gather.ids = r.ints({1}, {id});
    gather.y = r.tensor(DS4_DTYPE_F32, {1, 1});
    refuse(r, gather, DS4_E_INVALID_ARGUMENT, "gather_rows: ids of row 0");
    BOOST_TEST(r.error().op_id == 0U);  // the sound op that followed cleared it
    auto scatter = make_op<ds4_op_scatter_rows>(DS4_OP_SCATTER_ROWS, 1);
    scatter.x = r.floats({1, 1}, {1});
    scatter.ids = gather.ids;
    scatter.y = r.floats({3, 1}, {1, 2, 3});
    refuse(r, scatter, DS4_E_INVALID_ARGUMENT, "scatter_rows: ids of row 0");
    auto pages = make_op<ds4_op_page_rows>(DS4_OP_PAGE_ROWS, 1);
    pages.ids = r.ints({1, 1}, {id});
    pages.slot = r.ints({1}, {0});
    pages.table = r.ints({1, 1}, {0});
    pages.physical = r.tensor(DS4_DTYPE_I32, {1, 1});
    pages.page_rows = 2;
    refuse(r, pages, DS4_E_INVALID_ARGUMENT, "page_rows: ids of row 0");
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_index_names_op_and_tag_and_stops_what_follows) {
  Reference r;
  auto gather = make_op<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS, 1);
  gather.op.tag = 3u << 16 | 9u;
  gather.x = r.floats({3, 1}, {1, 2, 3});
  gather.ids = r.ints({1}, {3});
  gather.y = r.tensor(DS4_DTYPE_F32, {1, 1});
  auto fill = make_op<ds4_op_fill>(DS4_OP_FILL, 1);
  fill.y = r.floats({1, 1}, {5});
  BOOST_TEST(r.enqueue({&gather.op, &fill.op}) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(r.error().op_id == DS4_OP_GATHER_ROWS);
  BOOST_TEST(r.error().op_tag == (3u << 16 | 9u));
  BOOST_TEST(r.read(fill.y)[0] == 5.0F);
}

BOOST_AUTO_TEST_CASE(undeclared_overlap_is_refused_by_a_validating_device) {
  Reference r;
  auto norm = make_op<ds4_op_rms_norm>(DS4_OP_RMS_NORM, 1);
  norm.x = r.floats({1, 4}, {1, 2, 3, 4});
  norm.y = norm.x;
  BOOST_TEST(r.run(norm) == DS4_OK, r.text());  // in place is declared
  auto part = norm;
  part.x.extent[1] = 3;
  part.y.extent[1] = 3;
  part.y.offset = 4;
  refuse(r, part, DS4_E_INVALID_ARGUMENT, "rms_norm: y overlaps x");
  auto matmul = sound_matmul(r);
  matmul.y = r.floats({2, 4}, std::vector<float>(8, 1.0F));
  matmul.x = matmul.y;
  matmul.y.extent[1] = 3;
  refuse(r, matmul, DS4_E_INVALID_ARGUMENT, "matmul: y overlaps x");
}

BOOST_AUTO_TEST_CASE(null_handles_are_refused_everywhere) {
  Reference r;
  const ds4_backend_api& api = r.api();
  const ds4_op* op = nullptr;
  ds4_op_support support{sizeof(ds4_op_support), 0, {}};
  std::uint64_t bytes = 0;
  ds4_buffer* buffer = nullptr;
  BOOST_TEST(api.enqueue(nullptr, nullptr, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.enqueue(r.stream(), nullptr, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(r.enqueue({nullptr}) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.op_support(r.device(), op, &support, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.op_support(nullptr, op, &support, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.workspace_size(r.device(), nullptr, 1, &bytes, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.buffer_create(nullptr, 4, DS4_MEMORY_HOST, DS4_USAGE_KV, &buffer, nullptr) ==
             DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.buffer_create(r.device(), 4, DS4_MEMORY_DEVICE, DS4_USAGE_KV, &buffer, nullptr) ==
             DS4_E_UNSUPPORTED);
  BOOST_TEST(api.buffer_create(r.device(), 4, DS4_MEMORY_HOST, 9, &buffer, nullptr) ==
             DS4_E_UNSUPPORTED);
  BOOST_TEST(api.buffer_write(r.stream(), nullptr, 0, &bytes, 4, nullptr) ==
             DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.stream_sync(nullptr, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.device_close(nullptr, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.device_close(r.device(), nullptr) == DS4_E_INVALID_ARGUMENT);  // has a stream
}

BOOST_AUTO_TEST_CASE(incomplete_weights_are_refused) {
  Reference r;
  const ds4_backend_api& api = r.api();
  ds4_weight_desc desc{};
  desc.struct_size = sizeof desc;
  desc.dtype = DS4_DTYPE_F32;
  desc.role = DS4_ROLE_MATRIX;
  desc.rank = 2;
  desc.extent[0] = 2;
  desc.extent[1] = 2;
  desc.bytes = 16;
  const float values[4] = {1, 2, 3, 4};
  ds4_import* import = nullptr;
  ds4_weight* weight = nullptr;
  BOOST_TEST_REQUIRE(api.weight_import_begin(r.device(), &desc, 0, &import, nullptr) == DS4_OK);
  BOOST_TEST(api.weight_import_write(import, 8, values, 12, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.weight_import_write(import, 12, values, 4, nullptr) == DS4_OK);
  BOOST_TEST(api.weight_import_write(import, 8, values, 8, nullptr) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(api.weight_import_write(import, 0, values, 8, nullptr) == DS4_OK);
  BOOST_TEST(api.weight_import_finish(import, &weight, nullptr) == DS4_E_INVALID_ARGUMENT);
  desc.bytes = 12;
  BOOST_TEST(api.weight_import_begin(r.device(), &desc, 0, &import, nullptr) ==
             DS4_E_INVALID_ARGUMENT);
  desc.bytes = 16;
  desc.dtype = DS4_DTYPE_KV_ROW;
  BOOST_TEST(api.weight_import_begin(r.device(), &desc, 0, &import, nullptr) == DS4_E_UNSUPPORTED);
  desc.dtype = DS4_DTYPE_Q8_0;  // rows of 2 are no blocks of 32
  BOOST_TEST(api.weight_import_begin(r.device(), &desc, 0, &import, nullptr) ==
             DS4_E_INVALID_ARGUMENT);
}

BOOST_AUTO_TEST_CASE(a_workspace_too_small_is_refused) {
  Reference r;
  auto op = sound_matmul(r);
  const ds4_op* ops[] = {&op.op};
  ds4_submission submission{};
  submission.struct_size = sizeof submission;
  submission.count = 1;
  submission.ops = ops;
  BOOST_TEST(r.api().enqueue(r.stream(), &submission, nullptr) == DS4_E_INVALID_ARGUMENT);
  std::uint64_t bytes = 0;
  BOOST_TEST(r.api().workspace_size(r.device(), ops, 1, &bytes, nullptr) == DS4_OK);
  submission.workspace = r.tensor(DS4_DTYPE_F32, {static_cast<std::uint32_t>(bytes / 4 - 1)});
  BOOST_TEST(r.api().enqueue(r.stream(), &submission, nullptr) == DS4_E_INVALID_ARGUMENT);
}

BOOST_AUTO_TEST_CASE(plan_time_answers_need_no_buffers_and_say_why_not) {
  Reference r;
  auto op = make_op<ds4_op_matmul>(DS4_OP_MATMUL, 2);
  op.x = ds4::sdk::make_view(nullptr, 0, DS4_DTYPE_F32, {2, 4});
  op.y = ds4::sdk::make_view(nullptr, 0, DS4_DTYPE_F32, {2, 3});
  ds4_op_support support{sizeof(ds4_op_support), 0, {}};
  BOOST_TEST(r.api().op_support(r.device(), &op.op, &support, nullptr) == DS4_OK);
  BOOST_TEST(support.level == DS4_SUPPORT_NATIVE);
  op.x.dtype = DS4_DTYPE_F16;
  BOOST_TEST(r.api().op_support(r.device(), &op.op, &support, nullptr) == DS4_OK);
  BOOST_TEST(support.level == DS4_SUPPORT_NO);
  BOOST_TEST(std::string(support.reason).find("x: dtype F16") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(compose_turns_every_fused_op_off_and_no_other) {
  Reference r({.threads = 1, .device_flags = 0, .compose = "on"});
  auto fused = make_op<ds4_op_steer>(DS4_OP_STEER, 1);
  fused.x = ds4::sdk::make_view(nullptr, 0, DS4_DTYPE_F32, {1, 2, 2});
  auto plain = make_op<ds4_op_fill>(DS4_OP_FILL, 1);
  plain.y = ds4::sdk::make_view(nullptr, 0, DS4_DTYPE_F32, {1, 2});
  ds4_op_support support{sizeof(ds4_op_support), 0, {}};
  BOOST_TEST(r.api().op_support(r.device(), &fused.op, &support, nullptr) == DS4_OK);
  BOOST_TEST(support.level == DS4_SUPPORT_NO);
  BOOST_TEST(r.api().op_support(r.device(), &plain.op, &support, nullptr) == DS4_OK);
  BOOST_TEST(support.level == DS4_SUPPORT_NATIVE);
}

BOOST_AUTO_TEST_SUITE_END()
