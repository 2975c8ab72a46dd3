#include "engine/weight_choice.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

#include "engine/memory_planner.hpp"
#include "tests/unit/engine/flash.hpp"

namespace ds4 {
namespace {

/// A device that copies, in its own packing, only these types.
AskWeight copies_only(std::set<Dtype> taken, std::uint64_t times = 1) {
  return [taken = std::move(taken), times](const ds4_weight_desc& desc) {
    ds4_weight_answer answer{};
    answer.accepted = taken.contains(static_cast<Dtype>(desc.dtype)) ? 1 : 0;
    answer.packed_bytes = desc.bytes * times;
    return Result<ds4_weight_answer>(answer);
  };
}

WeightMemory weights_of(const ModelFile& model, AskWeight ask) {
  PlanQuestions questions;
  questions.weight = std::move(ask);
  const MemoryPlanner planner =
      test::must(MemoryPlanner::make(model, MemoryPlanInputs{}, std::move(questions)));
  return test::must(planner.plan(64)).weights;
}

std::uint64_t bytes_of(const ModelFile& model, Dtype dtype) {
  std::uint64_t bytes = 0;
  for (const TensorInfo& tensor : model.gguf().tensors()) {
    if (tensor.dtype == dtype) bytes += tensor.bytes;
  }
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(weight_choice)

BOOST_AUTO_TEST_CASE(every_tensor_of_the_model_is_planned_once) {
  const test::HeaderModel tiny("tiny");
  std::set<const TensorInfo*> seen;
  for (const WeightItem& item : weight_items(*tiny.file)) seen.insert(item.tensor);
  BOOST_TEST(seen.size() == tiny.file->gguf().tensors().size());
  BOOST_TEST(weight_items(*tiny.file).size() == seen.size());
}

BOOST_AUTO_TEST_CASE(a_device_that_copies_holds_its_packed_bytes) {
  const test::HeaderModel tiny("tiny");
  const std::set<Dtype> all = {Dtype::f32, Dtype::f16, Dtype::q8_0, Dtype::i32};
  std::uint64_t bytes = 0;
  for (const TensorInfo& tensor : tiny.file->gguf().tensors()) bytes += tensor.bytes;
  const WeightMemory weights = weights_of(*tiny.file, copies_only(all, 3));
  BOOST_TEST(weights.copied == 3 * bytes);
  BOOST_TEST(weights.in_place == 0U);
  BOOST_TEST(weights.converted == 0U);
}

BOOST_AUTO_TEST_CASE(a_type_that_is_not_taken_is_counted_at_its_new_size) {
  const test::HeaderModel tiny("tiny");
  const WeightMemory weights =
      weights_of(*tiny.file, copies_only({Dtype::f32, Dtype::f16, Dtype::i32}));
  const std::uint64_t source = bytes_of(*tiny.file, Dtype::q8_0);
  BOOST_TEST(source > 0U);
  BOOST_TEST(weights.converted_source == source);
  BOOST_TEST(weights.converted == source / 34 * 64);  // 32 values: 34 bytes against 64
}

BOOST_AUTO_TEST_CASE(a_type_that_nothing_takes_is_refused_by_name) {
  const test::HeaderModel tiny("tiny");
  PlanQuestions questions;
  questions.weight = copies_only({Dtype::i32});
  const auto planner = MemoryPlanner::make(*tiny.file, MemoryPlanInputs{}, questions);
  BOOST_TEST_REQUIRE(!planner.ok());
  BOOST_TEST((planner.error().code == Errc::unsupported));
  BOOST_TEST(planner.error().what.find("token_embd.weight") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
