#include "engine/expert_layout.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/thread_team.hpp"

namespace ds4 {
namespace {

/// One tensor of experts, as its backend packs it.
struct Piece {
  const TensorInfo* tensor = nullptr;
  ds4_weight_desc desc{};
  std::uint64_t rows = 0;   // of one expert
  std::uint64_t bytes = 0;  // of them
};

class ExpertReader {
 public:
  ExpertReader(const ModelFile& model, const plugins::Device& device, const ExpertLayout& layout)
      : model_(model), device_(device), names_(3 * layout.layers.size()) {
    for (std::uint32_t layer = 0; layer < layout.layers.size(); ++layer) {
      for (const TensorRole role : kExpertRoles) add(layer, role, layout.experts);
    }
    for (Lane& lane : lanes_) lane.bytes.resize(layout.largest_piece);
  }

  Result<std::uint64_t> load(std::uint32_t reader, std::uint32_t layer, std::uint32_t expert,
                             std::span<std::byte> gate_up, std::span<std::byte> down) {
    const auto half = static_cast<std::ptrdiff_t>(gate_up.size() / 2);
    std::byte* const to[] = {gate_up.data(), gate_up.data() + half, down.data()};
    std::uint64_t read = 0;
    for (std::size_t i = 0; i < std::size(kExpertRoles); ++i) {
      const Piece& piece = pieces_[3 * layer + i];
      if (auto done = load(piece, lanes_[reader], expert, to[i]); !done) {
        return done.error().in("tensor ", piece.tensor->name, ": expert ", expert);
      }
      read += piece.bytes;
    }
    return read;
  }

 private:
  /// What one thread reads with.
  struct Lane {
    std::vector<std::byte> bytes;
    ThreadTeam alone{1};
  };

  void add(std::uint32_t layer, TensorRole role, std::uint32_t experts) {
    const TensorInfo* const tensor = model_.layer_tensor(layer, role);
    std::string& name = names_[pieces_.size()];
    name = tensor->name;
    Piece piece;
    piece.tensor = tensor;
    piece.desc = describe_streamed(model_, {tensor, role, layer}, name);
    piece.rows = tensor->rows() / experts;
    piece.bytes = tensor->bytes / experts;
    pieces_.push_back(piece);
  }

  Result<void> load(const Piece& piece, Lane& lane, std::uint32_t expert, std::byte* to) {
    const std::span<std::byte> bytes = std::span(lane.bytes).first(piece.bytes);
    DS4_CHECK(model_.read_rows(*piece.tensor, expert * piece.rows, piece.rows, bytes, lane.alone));
    return device_.pack_expert(piece.desc, expert, bytes.data(), to);
  }

  const ModelFile& model_;
  const plugins::Device& device_;
  std::vector<std::string> names_;  // what the descriptions point to
  std::vector<Piece> pieces_;       // by layer and role
  std::array<Lane, kExpertReaders> lanes_;
};

}  // namespace

Result<ExpertLayout> ExpertLayout::make(const ModelFile& model, const AskWeight& ask) {
  const ModelConfig& config = model.config();
  ExpertLayout layout;
  layout.experts = config.stored();
  layout.least = std::min(config.experts_used, layout.experts);
  layout.layers.resize(config.layers);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    for (const TensorRole role : kExpertRoles) {
      const TensorInfo& tensor = *model.layer_tensor(layer, role);
      const std::string name(tensor.name);
      DS4_TRY(const ds4_weight_answer answer,
              ask(describe_streamed(model, {&tensor, role, layer}, name)));
      const bool is_down = role == TensorRole::ffn_down_exps;
      if (answer.accepted == 0 || answer.expert_bytes[is_down ? 1 : 0] == 0) {
        return fail(Errc::unsupported, "tensor ", name, ": the device takes no experts of ",
                    dtype_name(tensor.dtype), " one by one");
      }
      ExpertBytes& bytes = layout.layers[layer];
      bytes.gate_up = std::max(bytes.gate_up, answer.expert_bytes[0]);
      bytes.down = std::max(bytes.down, answer.expert_bytes[1]);
      layout.tensor_bytes += tensor.bytes;
      layout.largest_piece = std::max(layout.largest_piece, tensor.bytes / layout.experts);
    }
  }
  return layout;
}

ExpertSource expert_source(const ModelFile& model, const plugins::Device& device,
                           const ExpertLayout& layout) {
  ExpertSource source;
  source.layers = layout.layers;
  source.experts = layout.experts;
  source.load = [reader = std::make_shared<ExpertReader>(model, device, layout)](
                    std::uint32_t thread, std::uint32_t layer, std::uint32_t expert,
                    std::span<std::byte> gate_up, std::span<std::byte> down) {
    return reader->load(thread, layer, expert, gate_up, down);
  };
  return source;
}

}  // namespace ds4
