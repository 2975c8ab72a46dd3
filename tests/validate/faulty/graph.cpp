#include "graph.hpp"

#include <cstring>
#include <memory>
#include <vector>

// Of the copy that is made when the build is configured.
#include <cpu-common/api.hpp>

#include "fault.hpp"

struct ds4_graph {
  std::vector<std::vector<std::uint64_t>> words;  // the descriptors
  std::vector<const ds4_op*> ops;
  ds4_submission submission{};
};

namespace ds4::cpu {
namespace {

std::uint32_t graph_supported(ds4_device*, const ds4_op* const*, std::uint32_t) {
  return 1;
}

/// What a backend does that reads the step block while it captures.
void bake_rows(const ds4_view& step, ds4_op_fill& op) {
  const auto* words = reinterpret_cast<const std::int32_t*>(step.buffer->data + step.offset);
  const sdk::RowRange rows = sdk::resolve_range(op.rows, words, DS4_STEP_HEADER_WORDS);
  op.rows = {rows.count, DS4_SLOT_NONE, rows.first, DS4_SLOT_NONE};
}

ds4_status graph_capture(ds4_stream* stream, const ds4_submission* submission, ds4_graph** out,
                         ds4_error* err) {
  return sdk::fence(err, [&] {
    sdk::need(stream, "stream");
    const ds4_submission& from = sdk::need_struct(submission, "submission");
    ds4_graph*& result = sdk::need(out, "out");
    auto made = std::make_unique<ds4_graph>();
    made->submission = from;
    for (std::uint32_t i = 0; i < from.count; ++i) {
      auto& words = made->words.emplace_back((from.ops[i]->struct_size + 7) / 8);
      std::memcpy(words.data(), from.ops[i], from.ops[i]->struct_size);
      made->ops.push_back(reinterpret_cast<const ds4_op*>(words.data()));
      if (planted(Planted::graph_constants)) {
        bake_rows(from.step, *reinterpret_cast<ds4_op_fill*>(words.data()));
      }
    }
    made->submission.ops = made->ops.data();
    result = made.release();
  });
}

ds4_status graph_launch(ds4_graph* graph, ds4_stream* stream, ds4_error* err) {
  if (graph == nullptr) return DS4_E_INVALID_ARGUMENT;
  return enqueue(stream, &graph->submission, err);
}

void graph_destroy(ds4_graph* graph) {
  delete graph;
}

constexpr ds4_graph_api kGraph{
    sizeof(ds4_graph_api), 1, graph_supported, graph_capture, graph_launch, graph_destroy};

}  // namespace

const ds4_graph_api* graph_api() noexcept {
  return &kGraph;
}

}  // namespace ds4::cpu
