// A capability bit promises behaviour: each one that a device has is exercised.
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "ops/views.hpp"
#include "validate/session.hpp"
#include "validate/small_op.hpp"
#include "wrap/library.hpp"

namespace ds4::validate {
namespace {

using conformance::Backend;

constexpr std::uint64_t kKnown = DS4_CAP_ASYNC | DS4_CAP_EVENTS | DS4_CAP_MULTI_STREAM |
                                 DS4_CAP_GRAPH | DS4_CAP_HOST_MAP | DS4_CAP_UNIFIED_MEMORY |
                                 DS4_CAP_IMPORT_HOST | DS4_CAP_REPACK_CACHE | DS4_CAP_PROFILE |
                                 DS4_CAP_DETERMINISTIC | DS4_CAP_PEER_COPY | DS4_CAP_UNLOAD_SAFE |
                                 DS4_CAP_ROW_INVARIANT | DS4_CAP_INT8_ACTIVATIONS;

void check_map(Checklist& list, Backend& backend) {
  const ds4_backend_api& api = backend.api();
  list.expect(
      DS4_HAS(ds4_backend_api, &api, buffer_map) && DS4_HAS(ds4_backend_api, &api, buffer_unmap),
      "buffer_map or buffer_unmap is missing");
  auto buffer = backend.create_buffer(256);
  list.expect(buffer.ok(), buffer ? "" : buffer.error().what);
  if (!list.ok()) return;
  std::vector<std::byte> pattern(256, std::byte{0x3C});
  list.expect(backend.write(*buffer, pattern));
  void* mapped = nullptr;
  list.expect_status(api.buffer_map(*buffer, &mapped, nullptr), DS4_OK, "buffer_map");
  if (mapped != nullptr) {
    list.expect(std::memcmp(mapped, pattern.data(), pattern.size()) == 0,
                "mapped memory is not what was written");
    std::memset(mapped, 0x5D, pattern.size());
    api.buffer_unmap(*buffer);
    std::vector<std::byte> back(256);
    list.expect(backend.read(*buffer, back));
    list.expect(back == std::vector<std::byte>(256, std::byte{0x5D}),
                "what was written through the mapping does not come back");
  }
  backend.destroy_buffer(*buffer);
}

void check_import(Checklist& list, Backend& backend) {
  const ds4_backend_api& api = backend.api();
  list.expect(DS4_HAS(ds4_backend_api, &api, buffer_import_host), "buffer_import_host is missing");
  if (!list.ok()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory =
      ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  std::memset(memory, 0x21, page);
  ds4_buffer* buffer = nullptr;
  list.expect_status(
      api.buffer_import_host(backend.device(), memory, page, DS4_USAGE_STAGING, &buffer, nullptr),
      DS4_OK, "buffer_import_host");
  if (buffer != nullptr) {
    std::vector<std::byte> back(page);
    list.expect(backend.read(buffer, back));
    list.expect(std::memcmp(back.data(), memory, page) == 0, "imported memory reads otherwise");
    api.buffer_destroy(buffer);
    list.expect(static_cast<unsigned char*>(memory)[page - 1] == 0x21,
                "destroying the buffer changes the memory, which belongs to the caller");
  }
  ::munmap(memory, page);
}

void check_repack(Checklist& list, Backend& backend) {
  const ds4_backend_api& api = backend.api();
  list.expect(DS4_HAS(ds4_backend_api, &api, weight_export_packed) &&
                  DS4_HAS(ds4_backend_api, &api, weight_import_packed),
              "weight_export_packed or weight_import_packed is missing");
  if (!list.ok()) return;
  const std::vector<float> values = SmallOp::weight_values();
  const ds4_weight_desc desc = SmallOp::weight_desc();
  auto weight = backend.create_weight(desc, std::as_bytes(std::span(values)));
  list.expect(weight.ok(), weight ? "" : weight.error().what);
  if (!weight) return;
  std::uint64_t bytes = 0;
  list.expect_status(api.weight_export_packed(*weight, nullptr, 0, &bytes, nullptr), DS4_OK,
                     "weight_export_packed, asked for the size");
  std::vector<std::byte> packed(bytes);
  list.expect_status(api.weight_export_packed(*weight, packed.data(), bytes, &bytes, nullptr),
                     DS4_OK, "weight_export_packed");
  ds4_weight* again = nullptr;
  list.expect_status(
      api.weight_import_packed(backend.device(), &desc, packed.data(), bytes, &again, nullptr),
      DS4_OK, "weight_import_packed");
  if (again != nullptr) {
    std::uint64_t second = 0;
    list.expect_status(api.weight_export_packed(again, nullptr, 0, &second, nullptr), DS4_OK,
                       "weight_export_packed of the import");
    std::vector<std::byte> repacked(second);
    (void)api.weight_export_packed(again, repacked.data(), second, &second, nullptr);
    list.expect(repacked == packed, "a packed weight changes on its way through a cache");
    backend.destroy_weight(again);
  }
  backend.destroy_weight(*weight);
}

void check_profile(Checklist& list, Session& session) {
  Backend& backend = session.backend();
  const ds4_backend_api& api = backend.api();
  list.expect(DS4_HAS(ds4_backend_api, &api, stats_read), "stats_read is missing");
  if (!list.ok()) return;
  ds4_device_options options{};
  options.struct_size = sizeof(options);
  options.flags = DS4_DEVICE_PROFILE;
  options.host = &backend.host();
  ds4_device* device = nullptr;
  list.expect_status(api.device_open(session.target().device, &options, &device, nullptr), DS4_OK,
                     "device_open with PROFILE");
  if (device != nullptr) {
    ds4_stats stats{};
    stats.struct_size = sizeof(stats);
    list.expect_status(api.stats_read(device, &stats, nullptr), DS4_OK, "stats_read");
    list.expect_status(api.device_close(device, nullptr), DS4_OK, "device_close");
  }
}

/// A copy of the file, so that the mapping of ours stays out of it.
void check_unload(Checklist& list, Session& session) {
#if defined(DS4_SANITIZED)
  (void)session;
  list.expect(true, "");  // libraries stay mapped under a sanitizer
#else
  std::error_code error;
  std::string pattern = (std::filesystem::temp_directory_path(error) / "ds4-validate-XXXXXX");
  if (::mkdtemp(pattern.data()) == nullptr) {
    list.expect(false, "no folder for a copy of the file");
    return;
  }
  const std::filesystem::path folder = pattern;
  struct statvfs system {};
  if (::statvfs(folder.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) != 0) {
    std::filesystem::remove(folder, error);
    list.skip("no copy of the file can be opened in " + folder.parent_path().string() +
              ", which is mounted noexec; TMPDIR names another folder");
    return;
  }
  const std::filesystem::path copy = folder / session.target().path.filename();
  std::filesystem::copy_file(session.target().path, copy, error);
  list.expect(!error, "the file cannot be copied: " + error.message());
  if (!error) {
    {
      auto opened = Backend::open(copy, {session.target().device, 1, {}, nullptr});
      list.expect(opened.ok(), opened ? "" : opened.error().what);
      if (opened) {
        auto op = SmallOp::make(**opened);
        list.expect(op.ok(), op ? "" : op.error().what);
        if (op) list.expect((*op)->run());
      }
    }
    list.expect(!plugins::PluginLibrary::is_mapped(copy),
                "the file stays mapped after its last object and its handle are gone");
  }
  std::filesystem::remove_all(folder, error);
#endif
}

void check_bit(Session& session, std::uint64_t bit, const char* name,
               void (*check)(Checklist& list, Session& session)) {
  Backend& backend = session.backend();
  if (!backend.has(bit)) return;
  Checklist list("capabilities", name);
  check(list, session);
  session.report().add(list.row(session));
}

}  // namespace

void run_capabilities(Session& session) {
  Checklist known("capabilities", "known bits");
  const std::uint64_t bits = session.backend().info().capabilities;
  known.expect((bits & ~kKnown) == 0, "the device promises bits that this version does not know");
  const std::uint32_t score = session.backend().info().score;
  known.expect(score < DS4_SCORE_LIMIT, "score " + std::to_string(score) + " is not a plugin's");
  known.expect(session.backend().info().memory_kinds >= 1, "no memory kind");
  session.report().add(known.row(session));

  check_bit(session, DS4_CAP_GRAPH, "GRAPH", [](Checklist& list, Session& s) {
    const auto* graph =
        static_cast<const ds4_graph_api*>(s.backend().api().get_extension("ds4.graph", 1));
    list.expect(graph != nullptr, "GRAPH is promised, but there is no extension ds4.graph");
    if (graph == nullptr) return;
    list.expect(graph->version >= 1 && graph->graph_supported && graph->graph_capture &&
                    graph->graph_launch && graph->graph_destroy,
                "ds4.graph lacks a function");
  });
  check_bit(session, DS4_CAP_EVENTS, "EVENTS", [](Checklist& list, Session& s) {
    const ds4_backend_api& api = s.backend().api();
    list.expect(DS4_HAS(ds4_backend_api, &api, event_create) &&
                    DS4_HAS(ds4_backend_api, &api, event_wait_stream),
                "EVENTS is promised, but the event functions are not there");
  });
  check_bit(session, DS4_CAP_HOST_MAP, "HOST_MAP",
            [](Checklist& list, Session& s) { check_map(list, s.backend()); });
  check_bit(session, DS4_CAP_IMPORT_HOST, "IMPORT_HOST",
            [](Checklist& list, Session& s) { check_import(list, s.backend()); });
  check_bit(session, DS4_CAP_REPACK_CACHE, "REPACK_CACHE",
            [](Checklist& list, Session& s) { check_repack(list, s.backend()); });
  check_bit(session, DS4_CAP_PROFILE, "PROFILE", check_profile);
  check_bit(session, DS4_CAP_PEER_COPY, "PEER_COPY", [](Checklist& list, Session& s) {
    const ds4_backend_api& api = s.backend().api();
    list.expect(DS4_HAS(ds4_backend_api, &api, buffer_peer_copy), "buffer_peer_copy is missing");
  });
  check_bit(session, DS4_CAP_UNLOAD_SAFE, "UNLOAD_SAFE", check_unload);
  check_bit(session, DS4_CAP_UNIFIED_MEMORY, "UNIFIED_MEMORY", [](Checklist& list, Session& s) {
    bool is_there = false;
    for (std::uint32_t i = 0; i < s.backend().info().memory_kinds && i < 4; ++i) {
      is_there = is_there || s.backend().info().memory[i].kind == DS4_MEMORY_UNIFIED ||
                 s.backend().info().memory[i].host_visible != 0;
    }
    list.expect(is_there, "UNIFIED_MEMORY is promised, but no memory is host-visible");
  });
  // DETERMINISTIC and ROW_INVARIANT have stages of their own, and so has ASYNC with MULTI_STREAM;
  // INT8_ACTIVATIONS widens limits of the stages ops and compositions, and is judged there.
}

}  // namespace ds4::validate
