#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "loader/note.hpp"
#include "loader/reason.hpp"
#include "loader/search_path.hpp"
#include "wrap/backend.hpp"

namespace ds4::plugins {

enum class CandidateState {
  usable,
  no_device,  ///< opens, but every score is 0
  refused,
  shadowed,  ///< another file of this name was found earlier
  disabled,  ///< by its manifest
};

[[nodiscard]] std::string_view state_name(CandidateState state) noexcept;

/// A device as listings show it.
struct CandidateDevice {
  std::string name;
  std::string architecture;
  std::string unique_id;  ///< 32 hexadecimal digits, or empty when all zero or unknown
  std::uint32_t score = 0;
  std::string reason;
};

/// One file that is named like a backend, and what became of it.
struct Candidate {
  std::filesystem::path path;  ///< absolute; links resolved where that was possible
  std::string name;            ///< from the file's name
  SearchPlace place = SearchPlace::explicit_path;
  CandidateState state = CandidateState::refused;
  Refusal refusal;     ///< of `refused` and `no_device`
  std::string remark;  ///< notices: what shadows it, which one it replaces
  NoteFacts note;      ///< what its note says; empty name when it was not read
  std::string build;   ///< from describe()
  std::vector<CandidateDevice> devices;
  std::shared_ptr<Backend> backend;  ///< set when usable

  /// The highest score of its devices, 0 without one.
  [[nodiscard]] std::uint32_t best_score() const noexcept;
};

}  // namespace ds4::plugins
