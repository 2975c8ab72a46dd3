// The host's table and the translation of statuses.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "registry/selection.hpp"
#include "wrap/fp_control.hpp"
#include "wrap/host_api.hpp"
#include "wrap/status.hpp"

using namespace ds4;
using namespace ds4::plugins;

BOOST_AUTO_TEST_SUITE(wrap)

BOOST_AUTO_TEST_CASE(options_reach_the_backend_they_name_and_override_its_manifest) {
  HostOptions options;
  BOOST_TEST(add_backend_option(options.options, "cuda-spark.graph=off").ok());
  BOOST_TEST(add_backend_option(options.options, "cuda-spark.path=a=b.c").ok());
  for (const char* bad : {"", "graph=off", ".graph=off", "cuda.=off", "cuda.graph"}) {
    BOOST_TEST(!add_backend_option(options.options, bad).ok(), bad);
  }
  HostApi host(options);
  const ds4_host_api* table = host.table("cuda-spark", {{"graph", "on"}, {"tile", "8"}});
  const auto get = [&](const ds4_host_api* t, const char* key) {
    const char* value = t->get_option(t->host_ctx, key);
    return std::string(value != nullptr ? value : "(null)");
  };
  BOOST_TEST(get(table, "graph") == "off");
  BOOST_TEST(get(table, "path") == "a=b.c");
  BOOST_TEST(get(table, "tile") == "8");
  BOOST_TEST(get(table, "other") == "(null)");
  BOOST_TEST(get(host.table("cuda"), "graph") == "(null)");
  BOOST_TEST(host.table("cuda-spark") == table);
}

BOOST_AUTO_TEST_CASE(memory_of_the_host_is_counted_limited_and_aligned) {
  HostOptions options;
  options.alloc_limit_bytes = 10000;
  HostApi host(options);
  const ds4_host_api* table = host.table("cpu");
  void* first = table->alloc(table->host_ctx, 6000, 4096, "test");
  BOOST_REQUIRE(first != nullptr);
  std::memset(first, 1, 6000);
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(first) % 4096 == 0u);
  BOOST_TEST(host.allocated_bytes() == 6000u);
  BOOST_TEST(table->alloc(table->host_ctx, 4001, 16, "test") == nullptr);
  BOOST_TEST(table->alloc(table->host_ctx, ~0ull, 16, "test") == nullptr);
  BOOST_TEST(table->alloc(table->host_ctx, 16, 3, "test") == nullptr);
  void* second = table->alloc(table->host_ctx, 4000, 1, "test");
  BOOST_TEST(second != nullptr);
  table->free(table->host_ctx, first);
  table->free(table->host_ctx, second);
  table->free(table->host_ctx, nullptr);
  BOOST_TEST(host.allocated_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(a_region_runs_once_on_every_thread_and_joins_at_the_barrier) {
  HostOptions options;
  options.team = std::make_shared<ThreadTeam>(3u);
  HostApi host(options);
  struct Region {
    const ds4_host_api* table;
    std::atomic<std::uint32_t> arrived{0};
    std::atomic<std::uint32_t> saw_all{0};
  } region{host.table("cpu")};
  BOOST_TEST(region.table->team_size(region.table->host_ctx) == 3u);
  region.table->team_run(
      region.table->host_ctx,
      [](void* argument, std::uint32_t, std::uint32_t threads) {
        auto& r = *static_cast<Region*>(argument);
        ++r.arrived;
        r.table->team_barrier(r.table->host_ctx);
        if (r.arrived == threads) ++r.saw_all;
      },
      &region);
  BOOST_TEST(region.saw_all == 3u);
}

BOOST_AUTO_TEST_CASE(callbacks_of_what_is_not_there_are_null) {
  HostApi host(HostOptions{});
  const ds4_host_api* table = host.table("cpu");
  BOOST_TEST((table->experts_acquire == nullptr));
  BOOST_TEST((table->trace_begin == nullptr));
  BOOST_TEST(table->log_enabled(table->host_ctx, DS4_LOG_ERROR) == 0u);
  BOOST_TEST(table->should_cancel(table->host_ctx) == 0u);
  host.set_cancelled(true);
  BOOST_TEST(table->should_cancel(table->host_ctx) == 1u);
}

BOOST_AUTO_TEST_CASE(an_expert_store_that_fails_reports_status_and_text) {
  struct Failing : ExpertStore {
    void prefetch(std::uint32_t, std::span<const std::int32_t>) noexcept override {}
    Result<std::uint64_t> acquire(std::uint32_t, std::span<const std::int32_t> ids,
                                  std::span<ds4_expert_view>) noexcept override {
      if (ids.size() == 1) return std::uint64_t{42};
      return fail(Errc::io, "disk is gone");
    }
    void release(std::uint64_t) noexcept override {}
  };
  HostOptions options;
  options.experts = std::make_shared<Failing>();
  HostApi host(options);
  const ds4_host_api* table = host.table("cpu");
  const std::int32_t ids[] = {1, 2};
  ds4_expert_view views[2];
  std::uint64_t ticket = 0;
  ds4_error record = make_error_slot();
  BOOST_TEST(table->experts_acquire(table->host_ctx, 0, ids, 1, views, &ticket, &record) == DS4_OK);
  BOOST_TEST(ticket == 42u);
  BOOST_TEST(table->experts_acquire(table->host_ctx, 0, ids, 2, views, &ticket, &record) ==
             DS4_E_IO);
  BOOST_TEST(bounded_text(record.text) == "disk is gone");
}

BOOST_AUTO_TEST_CASE(a_status_without_a_text_is_named_and_an_unterminated_text_is_bounded) {
  ds4_error record = make_error_slot();
  BOOST_TEST(translate(DS4_E_OUT_OF_MEMORY, record, "cpu", "trim").what ==
             "cpu: trim: out of memory (status 3)");
  std::memset(record.text, 'x', sizeof record.text);
  const Error error = translate(99, record, "cpu", "trim");
  BOOST_TEST((error.code == Errc::internal));
  BOOST_TEST(error.what.size() == sizeof record.text + std::strlen("cpu: trim: "));
}

BOOST_AUTO_TEST_CASE(the_floating_point_control_register_is_restored) {
  const std::uint64_t before = read_fp_control();
  std::string line;
  const LogSink log = [&](LogLevel, std::string_view, std::string_view text) { line = text; };
#if defined(__x86_64__)
  const std::uint64_t flush = before | 0x8040;
#else
  const std::uint64_t flush = before | (1ull << 24);
#endif
  {
    const FpGuard guard(log, "cpu", "enqueue");
    write_fp_control(flush);
    BOOST_TEST(read_fp_control() == flush);
  }
  BOOST_TEST(read_fp_control() == before);
  BOOST_TEST(line.find("in enqueue") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

Candidate usable(const std::string& name, std::vector<std::uint32_t> scores) {
  Candidate out;
  out.name = name;
  out.state = CandidateState::usable;
  for (const std::uint32_t score : scores) {
    CandidateDevice device;
    device.score = score;
    out.devices.push_back(device);
  }
  return out;
}

std::string chosen(const std::vector<Candidate>& all, const char* request) {
  const auto parsed = parse_backend_request(request);
  BOOST_REQUIRE(parsed.ok());
  const auto choice = choose(all, *parsed);
  if (!choice) return "none";
  return all[choice->candidate].name + ":" + std::to_string(choice->device);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(selection)

BOOST_AUTO_TEST_CASE(the_highest_score_wins_then_search_order_then_device_order) {
  const std::vector<Candidate> all = {usable("cpu-reference", {10}), usable("generic", {210, 210}),
                                      usable("spark", {0, 350}), usable("other", {350})};
  BOOST_TEST(chosen(all, "auto") == "spark:1");
  BOOST_TEST(chosen(all, "") == "spark:1");
  BOOST_TEST(chosen(all, "generic") == "generic:0");
  BOOST_TEST(chosen(all, "generic:1") == "generic:1");
  BOOST_TEST(chosen(all, "generic:2") == "none");
  BOOST_TEST(chosen(all, "spark:0") == "none");
}

BOOST_AUTO_TEST_CASE(a_family_name_stands_for_its_best_member_but_not_for_the_reference) {
  const std::vector<Candidate> family = {usable("cpu-base", {100}), usable("cpu-avx2", {120}),
                                         usable("cpu-reference", {10})};
  BOOST_TEST(chosen(family, "cpu") == "cpu-avx2:0");
  BOOST_TEST(chosen(family, "cpu-reference") == "cpu-reference:0");
  BOOST_TEST(chosen({usable("cpu-reference", {10})}, "cpu") == "none");
  // A backend of exactly that name is what was asked for.
  BOOST_TEST(chosen({usable("cpu-avx2", {120}), usable("cpu", {100})}, "cpu") == "cpu:0");
}

BOOST_AUTO_TEST_SUITE_END()
