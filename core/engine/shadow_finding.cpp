// What a shadow says of an output that is out of tolerance.
#include <algorithm>
#include <cstdio>

#include "engine/shadow.hpp"
#include "ops/op_table.hpp"

namespace ds4 {
namespace {

std::string number(double value) {
  char text[40];
  (void)std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

}  // namespace

/// The element types of the op's weights but for vectors beside matrices; else of the output.
std::string Shadow::dtype_of(const ds4_op& op, const OpOutput& output) const {
  std::vector<std::string> names;
  OpCopy copy(op);
  for (const std::uint64_t word : copy.words()) {
    const auto found = side_->weight_types().find(word);
    if (found == side_->weight_types().end()) continue;
    const std::string name(view_dtype_name(static_cast<std::uint32_t>(found->second)));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (names.size() > 1) names.erase(std::remove(names.begin(), names.end(), "f32"), names.end());
  if (names.empty()) return std::string(view_dtype_name(output.view.dtype));
  std::string text = names.front();
  for (std::size_t i = 1; i < names.size(); ++i) text.append("/").append(names[i]);
  return text;
}

std::string Shadow::where(const ShadowFinding& finding) const {
  std::string text = "step " + std::to_string(finding.step);
  if (finding.session) text.append(", session ").append(std::to_string(*finding.session));
  if (finding.position) text.append(", position ").append(std::to_string(*finding.position));
  if (finding.layer < model_.config().layers) {
    text.append(", layer ").append(std::to_string(finding.layer));
  }
  return text;
}

/// The command that judges this op by itself, and the one that judges every layer of the file.
std::string Shadow::repeating(const std::string& op) const {
  const std::string program =
      "ds4-validate --backend " + judged_.backend().library().path().string();
  std::string text = program;
  text.append(" --op ").append(op);
  if (model_.is_mapped()) {
    text.append(", or ").append(program).append(" --model ").append(model_.gguf().name());
  }
  return text;
}

Result<void> Shadow::found(const ds4_op& op, const OpOutput& output, const RowDistance& distance,
                           const StepFacts& step, const std::string& what) {
  const RowOwner owner = owner_of(op, output, distance.row, step);
  ShadowFinding finding;
  finding.step = step_;
  finding.layer = op.tag >> 16;
  finding.op = op_name(op.id);
  finding.dtype = dtype_of(op, output);
  finding.output = output.name;
  finding.row = distance.row;
  finding.session = owner.session;
  finding.position = owner.position;
  finding.value = distance.value;
  finding.got = distance.got;
  finding.expected = distance.wanted;
  finding.error = distance.error;
  finding.limit = distance.limit;
  finding.text = "shadow " + report_.device + ": " + where(finding) + ": " + finding.op + " (" +
                 finding.dtype + ") " + finding.output + " row " + std::to_string(finding.row) +
                 " value " + std::to_string(finding.value) + " is " + number(finding.got) +
                 ", expected " + number(finding.expected) + ": " + what +
                 "; to repeat: " + repeating(finding.op);
  return tell(finding);
}

}  // namespace ds4
