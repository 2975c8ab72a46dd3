#include "wrap/host_api.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/checked.hpp"
#include "wrap/status.hpp"

namespace ds4::plugins {

/// The context behind one backend's table.
struct HostApi::PerBackend {
  HostApi* host = nullptr;
  std::string name;
  BackendOptions options;  // by key, without the backend's name; never changes once made
  ds4_host_api table{};
};

namespace {

/// Lies right before every block that alloc gives out.
struct BlockHeader {
  void* base;
  std::uint64_t bytes;
};

/// A large page of x86-64, and of aarch64 with 4 KiB pages.
constexpr std::uint64_t kLargePage = std::uint64_t{2} << 20;
/// Blocks from here on are mapped by themselves and lie on large pages.
constexpr std::uint64_t kLargeBlock = 2 * kLargePage;

std::uint64_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// A page with the header, and the block behind it on a border of `align`; nothing else stays
/// mapped, so that no page in between can become resident. Null: no memory.
///
/// Weights are read once a token from end to end: with small pages the walks of the page tables
/// cost a tenth of the time and more, and hardware does not prefetch across their ends. Large ones
/// are only a wish.
void* map_large(std::uint64_t bytes, std::uint64_t align) noexcept {
  const std::uint64_t page = page_bytes();
  const std::uint64_t border = std::max(align, kLargePage);
  const auto inside = checked_add(bytes, border);
  const auto all = inside ? checked_add(*inside, 2 * page) : std::nullopt;
  if (!all) return nullptr;
  void* const mapped =
      ::mmap(nullptr, *all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped);
  const auto end = round_up(begin + *all, page);
  const auto block = round_up(begin + page, border);
  const auto first = block - page;
  const auto last = round_up(block + bytes, page);
  if (first > begin) ::munmap(mapped, first - begin);
  if (end > last) ::munmap(reinterpret_cast<void*>(last), end - last);
  (void)::madvise(reinterpret_cast<void*>(block), bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
  const BlockHeader header{reinterpret_cast<void*>(first), bytes};
  std::memcpy(reinterpret_cast<void*>(block - sizeof header), &header, sizeof header);
  return reinterpret_cast<void*>(block);
}

void set_text(ds4_error* record, ds4_status status, std::string_view text) noexcept {
  if (record == nullptr) return;
  // A record from an older header is shorter; only what it has is written.
  if (record->struct_size < offsetof(ds4_error, text) + 1) return;
  record->code = status;
  const std::size_t capacity = record->struct_size < sizeof(ds4_error)
                                   ? record->struct_size - offsetof(ds4_error, text)
                                   : sizeof record->text;
  const std::size_t length = std::min(text.size(), capacity - 1);
  std::memcpy(record->text, text.data(), length);
  record->text[length] = '\0';
}

}  // namespace

/// The functions of the table. None throws; each finds its state through host_ctx.
struct HostApi::Callbacks {
  static PerBackend& self(void* context) noexcept { return *static_cast<PerBackend*>(context); }
  static HostApi& host(void* context) noexcept { return *self(context).host; }

  static void log(void* context, std::uint32_t level, const char* component,
                  const char* text) noexcept {
    const HostOptions& options = host(context).options_;
    if (!options.log || level > static_cast<std::uint32_t>(options.log_level)) return;
    try {
      options.log(static_cast<LogLevel>(level), component != nullptr ? component : "backend",
                  text != nullptr ? text : "");
    } catch (...) {
      // A sink without memory loses a line; a backend must not see an exception.
    }
  }

  static std::uint32_t log_enabled(void* context, std::uint32_t level) noexcept {
    const HostOptions& options = host(context).options_;
    return options.log && level <= static_cast<std::uint32_t>(options.log_level) ? 1u : 0u;
  }

  static void* alloc(void* context, std::uint64_t bytes, std::uint64_t align,
                     const char* /*tag*/) noexcept {
    HostApi& owner = host(context);
    if (!std::has_single_bit(align)) return nullptr;
    const auto with_align = checked_add(bytes, align);
    const auto total = with_align ? checked_add(*with_align, sizeof(BlockHeader)) : std::nullopt;
    if (!total) return nullptr;
    if (!owner.reserve(bytes)) return nullptr;
    if (bytes >= kLargeBlock) {
      void* const block = map_large(bytes, align);
      if (block == nullptr) owner.allocated_.fetch_sub(bytes);
      return block;
    }
    void* base = std::malloc(*total);
    if (base == nullptr) {
      owner.allocated_.fetch_sub(bytes);
      return nullptr;
    }
    const auto first = reinterpret_cast<std::uintptr_t>(base) + sizeof(BlockHeader);
    const auto address = round_up(first, align);
    const BlockHeader header{base, bytes};
    std::memcpy(reinterpret_cast<void*>(address - sizeof header), &header, sizeof header);
    return reinterpret_cast<void*>(address);
  }

  static void free(void* context, void* block) noexcept {
    if (block == nullptr) return;
    BlockHeader header{};
    std::memcpy(&header, static_cast<std::byte*>(block) - sizeof header, sizeof header);
    host(context).allocated_.fetch_sub(header.bytes);
    if (header.bytes >= kLargeBlock) {
      ::munmap(header.base, page_bytes() + round_up(header.bytes, page_bytes()));
    } else {
      std::free(header.base);
    }
  }

  static void team_run(void* context, ds4_team_fn fn, void* arg) noexcept {
    HostApi& owner = host(context);
    const std::lock_guard lock(owner.team_mutex_);
    owner.options_.team->run(fn, arg);
  }
  static void team_barrier(void* context) noexcept { host(context).options_.team->barrier(); }
  static std::uint32_t team_size(void* context) noexcept {
    return host(context).options_.team->threads();
  }

  static void experts_prefetch(void* context, std::uint32_t layer, const std::int32_t* ids,
                               std::uint32_t n) noexcept {
    if (ExpertStore* const store = host(context).experts()) store->prefetch(layer, {ids, n});
  }

  static ds4_status experts_acquire(void* context, std::uint32_t layer, const std::int32_t* ids,
                                    std::uint32_t n, ds4_expert_view* out, std::uint64_t* ticket,
                                    ds4_error* record) noexcept {
    ExpertStore* const store = host(context).experts();
    if (store == nullptr) {
      set_text(record, DS4_E_INVALID_ARGUMENT, "no model of this host streams its experts");
      return DS4_E_INVALID_ARGUMENT;
    }
    auto got = store->acquire(layer, {ids, n}, {out, n});
    if (got) {
      *ticket = *got;
      return DS4_OK;
    }
    const Error error = got.error();
    const ds4_status status = status_of(error.code);
    set_text(record, status, error.what);
    return status;
  }

  static void experts_release(void* context, std::uint64_t ticket) noexcept {
    if (ExpertStore* const store = host(context).experts()) store->release(ticket);
  }

  static const char* get_option(void* context, const char* key) noexcept {
    if (key == nullptr) return nullptr;
    const BackendOptions& options = self(context).options;
    const auto found = options.find(std::string_view(key));
    return found == options.end() ? nullptr : found->second.c_str();
  }

  static std::uint32_t should_cancel(void* context) noexcept {
    return host(context).cancelled_.load() ? 1u : 0u;
  }

  static void trace_begin(void* context, std::uint32_t op_tag, const char* name) noexcept {
    host(context).options_.trace->begin(op_tag, name != nullptr ? name : "");
  }
  static void trace_end(void* context, std::uint32_t op_tag) noexcept {
    host(context).options_.trace->end(op_tag);
  }
  static void trace_counter(void* context, const char* name, std::int64_t value) noexcept {
    host(context).options_.trace->counter(name != nullptr ? name : "", value);
  }

  /// This host has no extensions.
  static const void* get_host_extension(void*, const char*, std::uint32_t) noexcept {
    return nullptr;
  }

  static void fill(ds4_host_api& table, const HostOptions& options) noexcept {
    table.struct_size = sizeof table;
    table.abi_major = DS4_ABI_MAJOR;
    table.abi_minor = DS4_ABI_MINOR;
    table.log = log;
    table.log_enabled = log_enabled;
    table.alloc = alloc;
    table.free = free;
    table.team_run = team_run;
    table.team_barrier = team_barrier;
    table.team_size = team_size;
    if (options.experts != nullptr || options.lends_experts) {
      table.experts_prefetch = experts_prefetch;
      table.experts_acquire = experts_acquire;
      table.experts_release = experts_release;
    }
    table.get_option = get_option;
    table.should_cancel = should_cancel;
    if (options.trace != nullptr) {
      table.trace_begin = trace_begin;
      table.trace_end = trace_end;
      table.trace_counter = trace_counter;
    }
    table.get_host_extension = get_host_extension;
  }
};

Result<void> add_backend_option(BackendOptions& options, std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t dot = text.find('.');
  if (equals == std::string_view::npos || dot == std::string_view::npos || dot == 0 ||
      dot + 1 >= equals) {
    return fail(Errc::invalid_argument, "--backend-option ", text,
                ": expected <backend>.<key>=<value>, for example cuda-spark.graph=off");
  }
  options.insert_or_assign(std::string(text.substr(0, equals)),
                           std::string(text.substr(equals + 1)));
  return {};
}

HostApi::HostApi(HostOptions options) : options_(std::move(options)) {
  if (options_.team == nullptr) options_.team = std::make_shared<ThreadTeam>(1u);
}

HostApi::~HostApi() = default;

Result<ExpertLoan> HostApi::lend_experts(ExpertStore& store) {
  if (!options_.lends_experts) {
    return fail(Errc::unsupported, "this program's host delivers no experts to backends");
  }
  ExpertStore* none = nullptr;
  if (!lent_experts_.compare_exchange_strong(none, &store)) {
    return fail(Errc::unsupported,
                "another model of this program streams its experts already; one can at a time");
  }
  return ExpertLoan(shared_from_this());
}

ExpertLoan::~ExpertLoan() {
  if (host_) host_->lent_experts_.store(nullptr);
}

bool HostApi::reserve(std::uint64_t bytes) noexcept {
  std::uint64_t now = allocated_.load();
  do {
    const auto sum = checked_add(now, bytes);
    if (!sum || *sum > options_.alloc_limit_bytes) return false;
  } while (!allocated_.compare_exchange_weak(now, now + bytes));
  return true;
}

const ds4_host_api* HostApi::table(std::string_view name, const BackendOptions& defaults) {
  const std::lock_guard lock(tables_mutex_);
  for (const auto& known : tables_) {
    if (known->name == name) return &known->table;
  }
  auto made = std::make_unique<PerBackend>();
  made->host = this;
  made->name = std::string(name);
  made->options = defaults;
  const std::string prefix = made->name + ".";
  for (auto it = options_.options.lower_bound(prefix);
       it != options_.options.end() && it->first.starts_with(prefix); ++it) {
    made->options.insert_or_assign(it->first.substr(prefix.size()), it->second);
  }
  made->table.host_ctx = made.get();
  Callbacks::fill(made->table, options_);
  tables_.push_back(std::move(made));
  return &tables_.back()->table;
}

}  // namespace ds4::plugins
