#include "base/host_memory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>

namespace ds4 {
namespace {

namespace fs = std::filesystem;

/// A root folder made of the files that a test writes.
struct FakeRoot {
  FakeRoot() {
    std::string name = (fs::temp_directory_path() / "ds4-root-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
  }
  ~FakeRoot() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
  }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  void machine(std::uint64_t available_kb) const {
    write("proc/meminfo",
          "MemTotal:       65536000 kB\nMemFree:          100000 kB\nMemAvailable:   " +
              std::to_string(available_kb) + " kB\nBuffers: 1 kB\n");
  }
  [[nodiscard]] MemoryBound tightest() const {
    const HostMemory memory = read_host_memory(root);
    BOOST_REQUIRE(memory.tightest() != nullptr);
    return *memory.tightest();
  }
  fs::path root;
};

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr const char* kMount1 =
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";
constexpr const char* kMount2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(host_memory, FakeRoot)

BOOST_AUTO_TEST_CASE(nothing_readable_bounds_nothing) {
  BOOST_TEST(read_host_memory(root).bounds.empty());
  BOOST_TEST((read_host_memory(root).tightest() == nullptr));
}

BOOST_AUTO_TEST_CASE(without_groups_the_machine_bounds) {
  machine(2048000);
  const MemoryBound bound = tightest();
  BOOST_TEST(bound.source == "MemAvailable");
  BOOST_TEST(bound.available == 2048000ULL * 1024);
  BOOST_TEST(bound.limit == 65536000ULL * 1024);
}

BOOST_AUTO_TEST_CASE(the_tightest_of_nested_version_2_groups_counts) {
  machine(32768000);
  write("proc/self/cgroup", "0::/user.slice/job/inner\n");
  write("proc/self/mountinfo", kMount2);
  write("sys/fs/cgroup/user.slice/job/inner/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/job/memory.max", std::to_string(1000 * kMiB) + "\n");
  write("sys/fs/cgroup/user.slice/job/memory.current", std::to_string(700 * kMiB) + "\n");
  write("sys/fs/cgroup/user.slice/job/memory.stat",
        "anon 1\ninactive_file " + std::to_string(300 * kMiB) + "\nactive_file " +
            std::to_string(100 * kMiB) + "\n");
  write("sys/fs/cgroup/user.slice/memory.max", std::to_string(4000 * kMiB) + "\n");
  write("sys/fs/cgroup/user.slice/memory.current", std::to_string(900 * kMiB) + "\n");
  const HostMemory memory = read_host_memory(root);
  BOOST_TEST(memory.bounds.size() == 3U);
  const MemoryBound bound = tightest();
  BOOST_TEST(bound.source == "cgroup /user.slice/job");
  BOOST_TEST(bound.limit == 1000 * kMiB);
  BOOST_TEST(bound.available == 700 * kMiB);  // 1000 - (700 - 400)
}

BOOST_AUTO_TEST_CASE(an_outer_group_can_be_tighter_than_an_inner_one) {
  machine(32768000);
  write("proc/self/cgroup", "0::/a/b\n");
  write("proc/self/mountinfo", kMount2);
  write("sys/fs/cgroup/a/b/memory.max", std::to_string(4000 * kMiB));
  write("sys/fs/cgroup/a/b/memory.current", std::to_string(10 * kMiB));
  write("sys/fs/cgroup/a/memory.max", std::to_string(2000 * kMiB));
  write("sys/fs/cgroup/a/memory.current", std::to_string(1500 * kMiB));
  BOOST_TEST(tightest().source == "cgroup /a");
  BOOST_TEST(tightest().available == 500 * kMiB);
}

BOOST_AUTO_TEST_CASE(version_1_reads_its_own_names_and_the_limits_above_the_mount) {
  machine(32768000);
  write("proc/self/cgroup", "8:cpu:/x\n4:memory:/job\n0::/\n");
  write("proc/self/mountinfo", kMount1);
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(3000 * kMiB) + "\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(500 * kMiB) + "\n");
  write("sys/fs/cgroup/memory/job/memory.stat",
        "inactive_file 1\ntotal_inactive_file " + std::to_string(100 * kMiB) +
            "\ntotal_active_file 0\nhierarchical_memory_limit " + std::to_string(2500 * kMiB) +
            "\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const HostMemory memory = read_host_memory(root);
  BOOST_TEST(memory.bounds.size() == 2U);
  BOOST_TEST(tightest().source == "cgroup /job");
  BOOST_TEST(tightest().limit == 2500 * kMiB);
  BOOST_TEST(tightest().available == 2100 * kMiB);
}

BOOST_AUTO_TEST_CASE(a_container_sees_its_own_group_as_the_mount) {
  machine(32768000);
  write("proc/self/cgroup", "4:memory:/docker/abc\n");
  write("proc/self/mountinfo",
        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(800 * kMiB));
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", std::to_string(100 * kMiB));
  BOOST_TEST(tightest().available == 700 * kMiB);
  // The same seen from inside a namespace that has moved elsewhere.
  write("proc/self/cgroup", "4:memory:/../other\n");
  BOOST_TEST(tightest().available == 700 * kMiB);
}

BOOST_AUTO_TEST_CASE(more_in_use_than_allowed_leaves_nothing) {
  machine(32768000);
  write("proc/self/cgroup", "0::/\n");
  write("proc/self/mountinfo", kMount2);
  write("sys/fs/cgroup/memory.max", std::to_string(100 * kMiB));
  write("sys/fs/cgroup/memory.current", std::to_string(101 * kMiB));
  BOOST_TEST(tightest().available == 0U);
}

BOOST_AUTO_TEST_CASE(broken_files_bound_nothing) {
  write("proc/meminfo", "MemAvailable:\nMemTotal: many kB\n");
  write("proc/self/cgroup", "::\n0\n4:memory\n0::/g\n");
  write("proc/self/mountinfo",
        "1 2\n - cgroup2\n31 23 0:28 / /sys/fs/cgroup rw - cgroup2\n" + std::string(kMount2));
  write("sys/fs/cgroup/g/memory.max", "-5\n");
  BOOST_TEST(read_host_memory(root).bounds.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(this_machine_has_memory) {
  const HostMemory memory = read_host_memory();
  BOOST_REQUIRE(memory.tightest() != nullptr);
  BOOST_TEST(memory.tightest()->available > 0U);
}

}  // namespace ds4
