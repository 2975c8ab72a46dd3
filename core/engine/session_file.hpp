#pragma once

#include <filesystem>

#include "engine/engine.hpp"

namespace ds4 {

/// Whether a file can be made beside `path`; to be asked before the work whose result it is to
/// take. Errors: not_found (no such folder), io.
Result<void> check_session_file(const std::filesystem::path& path);

/// Whether `path` is a file that can be opened and begins like a saved session; to be asked before
/// minutes of loading. Errors: not_found, io, bad_file.
Result<void> check_saved_session(const std::filesystem::path& path);

/// Writes a session to `path`, with its restore points. The file appears whole or not at all: it is
/// written under another name, flushed to the disk and renamed. Only its owner can read it, since
/// it holds the prompt. Errors: those of Engine::snapshot(), io.
Result<void> save_session(Engine& engine, SessionId session, const std::filesystem::path& path);

/// Makes the session what the file holds. The header is checked before memory for the rest is
/// taken, everything is checked before anything of the session changes.
/// Errors: not_found, io, those of Engine::restore(), each naming the file.
Result<void> load_session(Engine& engine, SessionId session, const std::filesystem::path& path);

}  // namespace ds4
