#include <algorithm>
#include <cmath>
#include <set>

#include "tests/conformance/cases.hpp"

/// Required ops that add and multiply, each against its formula in double.
namespace ds4::conformance {

namespace {

/// An estimate for each vector of row `row`, one after the other.
Estimate joined(std::size_t row, std::uint32_t vectors,
                const std::function<Estimate(std::size_t index)>& one) {
  Estimate all;
  for (std::uint32_t v = 0; v < vectors; ++v) append(all, one(row * vectors + v));
  return all;
}

void binary_cases(Suite& suite, std::uint32_t id) {
  for (const bool has_weight : {false, true}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(has_weight ? "weight" : "view", rows, [&](Case& c) {
        const std::uint32_t width = c.extent(24);
        auto op = c.op<ds4_op_binary>(id);
        const Tensor& x = c.input({c.rows().rows, width});
        const Tensor& b = c.input({c.rows().rows, width});
        const Weight& weight = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {width});
        const Tensor& y = c.output(DS4_DTYPE_F32, {width});
        op.x = x.view;
        if (has_weight) {
          op.weight = weight.handle;
        } else {
          op.b = b.view;
        }
        op.y = y.view;
        const auto expected = [&](std::size_t row) {
          const Estimate left = exact(x.vector(row));
          const Estimate right = exact(has_weight ? weight.row(0) : b.vector(row));
          return id == DS4_OP_ADD ? sum(left, right) : times(left, right);
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

}  // namespace

void add_cases(Suite& suite) {
  binary_cases(suite, DS4_OP_ADD);
}
void mul_cases(Suite& suite) {
  binary_cases(suite, DS4_OP_MUL);
}

void copy_cast_cases(Suite& suite) {
  for (const std::uint32_t dtype :
       {DS4_DTYPE_F32, DS4_DTYPE_F16, DS4_DTYPE_BF16, DS4_DTYPE_KV_ROW, DS4_DTYPE_INDEX_ROW}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(std::string(view_dtype_name(dtype)) + " to f32", rows, [&](Case& c) {
        const std::uint32_t width = c.extent(96, 32, 32);
        auto op = c.op<ds4_op_copy_cast>(DS4_OP_COPY_CAST);
        const Tensor& x =
            c.encoded(dtype, {c.rows().rows, width}, dtype == DS4_DTYPE_KV_ROW ? 16 : 0);
        const Tensor& y = c.output(DS4_DTYPE_F32, {width});
        op.x = x.view;
        op.y = y.view;
        const auto expected = [&](std::size_t row) { return exact(x.vector(row)); };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void fill_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("f32", rows, [&](Case& c) {
      const std::uint32_t width = c.extent(24);
      auto op = c.op<ds4_op_fill>(DS4_OP_FILL);
      const Tensor& y = c.output(DS4_DTYPE_F32, {width});
      op.y = y.view;
      op.value = -2.5;
      const auto expected = [&](std::size_t) {
        return Estimate{std::vector<double>(width, op.value), std::vector<double>(width, 0)};
      };
      c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
    });
  }
}

void scale_add_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("f32", rows, [&](Case& c) {
      const std::uint32_t width = c.extent(24);
      auto op = c.op<ds4_op_scale_add>(DS4_OP_SCALE_ADD);
      const Tensor& x = c.input({c.rows().rows, width});
      const Tensor& y = c.output(DS4_DTYPE_F32, {width});
      op.x = x.view;
      op.y = y.view;
      op.scale = 1.75;
      op.offset = -0.5;
      const auto expected = [&](std::size_t row) {
        const Estimate offset{std::vector<double>(width, op.offset), std::vector<double>(width, 0)};
        return sum(scaled(exact(x.vector(row)), op.scale), offset);
      };
      c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
    });
  }
}

void row_sum_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("f32", rows, [&](Case& c) {
      const std::uint32_t parts = c.extent(5, 1, 1, 40);
      const std::uint32_t width = c.extent(24);
      auto op = c.op<ds4_op_row_sum>(DS4_OP_ROW_SUM);
      const Tensor& x = c.input({c.rows().rows, parts, width});
      const Tensor& y = c.output(DS4_DTYPE_F32, {width});
      op.x = x.view;
      op.y = y.view;
      const auto expected = [&](std::size_t row) {
        const Estimate ones{std::vector<double>(parts, 1), std::vector<double>(parts, 0)};
        return mixed(ones, exact(std::span(x.values).subspan(row * parts * width, parts * width)),
                     width);
      };
      c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
    });
  }
}

void matmul_cases(Suite& suite) {
  over_dtypes(
      suite, DS4_ROLE_MATRIX, 40,
      [&](const std::string& label, std::uint32_t dtype, std::uint32_t width, const RowCase& rows) {
        suite.run(label, rows, [&](Case& c) {
          // Of Flash: the shared expert's down projection, or its compressor.
          const bool is_coded = dtype == DS4_DTYPE_Q8_0;
          const std::uint32_t in = c.width(dtype, width, is_coded ? 2048 : 4096);
          const std::uint32_t out = c.size({.usual = 9, .model = is_coded ? 4096U : 1024U});
          auto op = c.op<ds4_op_matmul>(DS4_OP_MATMUL);
          const Weight& weight = c.weight(dtype, DS4_ROLE_MATRIX, {out, in}, 0.1);
          const Tensor& x = c.input({c.rows().rows, in});
          const Tensor& y = c.output(DS4_DTYPE_F32, {out});
          op.weight = weight.handle;
          op.x = x.view;
          op.y = y.view;
          const auto expected = [&](std::size_t row) {
            return product(weight, exact(x.vector(row)));
          };
          c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
        });
      });
}

void grouped_matmul_cases(Suite& suite) {
  over_dtypes(
      suite, DS4_ROLE_EXPERT_GATE, 40,
      [&](const std::string& label, std::uint32_t dtype, std::uint32_t width, const RowCase& rows) {
        if (suite.is_model() && dtype != DS4_DTYPE_IQ2_XXS && rows.rows != suite.rows()[0].rows)
          return;
        suite.run(label, rows, [&](Case& c) {
          const std::uint32_t groups = c.size({.usual = 5, .model = 256, .high = 12});
          const std::uint32_t chosen = c.is_model() ? 6 : 3;
          const std::uint32_t in = c.width(dtype, width, 4096);
          const std::uint32_t out = c.size({.usual = 9, .model = 2048});
          auto op = c.op<ds4_op_grouped_matmul>(DS4_OP_GROUPED_MATMUL);
          const Weight& weight = c.weight(dtype, DS4_ROLE_EXPERT_GATE, {groups, out, in}, 0.1);
          const Tensor& x = c.input({c.rows().rows, 1, in});
          std::vector<std::int32_t> ids;
          for (std::uint32_t i = 0; i < c.rows().rows * chosen; ++i) {
            ids.push_back(i % 4 == 2 ? -1 : static_cast<std::int32_t>(c.random().below(groups)));
          }
          const std::set<std::int32_t> used(ids.begin(), ids.end());
          const auto left_out = std::count(ids.begin(), ids.end(), -1);
          c.add_work(
              static_cast<double>(used.size() - used.count(-1)) *
                  static_cast<double>(weight.bytes) / groups,
              (static_cast<double>(ids.size()) - static_cast<double>(left_out)) * 2 * in * out);
          const Tensor& y = c.output(DS4_DTYPE_F32, {chosen, out});
          op.weight = weight.handle;
          op.x = x.view;
          op.ids = c.ints({c.rows().rows, chosen}, ids).view;
          op.y = y.view;
          const auto expected = [&](std::size_t row) {
            return joined(row, chosen, [&](std::size_t i) {
              const std::vector<double> zeros(out, 0);
              if (ids[i] < 0) return Estimate{zeros, zeros};
              return product(weight, exact(x.vector(row)), static_cast<std::size_t>(ids[i]) * out,
                             out);
            });
          };
          c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
        });
      });
}

void mix_streams_cases(Suite& suite) {
  for (const bool is_transposed : {false, true}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(is_transposed ? "transposed" : "straight", rows, [&](Case& c) {
        const std::uint32_t to = c.extent(3, 1, 1, 16);
        const std::uint32_t from = c.extent(4, 1, 1, 16);
        const std::uint32_t width = c.extent(24);
        auto op =
            c.op<ds4_op_mix_streams>(DS4_OP_MIX_STREAMS, is_transposed ? DS4_MIX_TRANSPOSE : 0);
        const Tensor& a =
            is_transposed ? c.input({c.rows().rows, from, to}) : c.input({c.rows().rows, to, from});
        const Tensor& x = c.input({c.rows().rows, from, width});
        const Tensor& y = c.output(DS4_DTYPE_F32, {to, width});
        op.a = a.view;
        op.x = x.view;
        op.y = y.view;
        const auto expected = [&](std::size_t row) {
          const auto matrix = std::span(a.values).subspan(row * to * from, to * from);
          const Estimate parts =
              exact(std::span(x.values).subspan(row * from * width, from * width));
          Estimate all;
          for (std::uint32_t m = 0; m < to; ++m) {
            std::vector<float> factors;
            for (std::uint32_t n = 0; n < from; ++n) {
              factors.push_back(matrix[is_transposed ? n * to + m : m * from + n]);
            }
            append(all, mixed(exact(factors), parts, width));
          }
          return all;
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void normalize_sum_cases(Suite& suite) {
  for (const double floor : {0x1p-14, 6.0}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(floor < 1 ? "small floor" : "large floor", rows, [&](Case& c) {
        const std::uint32_t width = c.extent(6, 1, 1, 64);
        auto op = c.op<ds4_op_normalize_sum>(DS4_OP_NORMALIZE_SUM);
        std::vector<float> values(c.rows().rows * std::size_t{width});
        for (float& value : values) value = static_cast<float>(std::abs(c.random().normal()));
        const Tensor& x = c.floats({c.rows().rows, width}, values);
        const Tensor& y = c.output(DS4_DTYPE_F32, {width});
        op.x = x.view;
        op.y = y.view;
        op.floor = floor;
        op.scale = 1.5;
        const auto expected = [&](std::size_t row) {
          Estimate result = exact(x.vector(row));
          double total = 0;
          for (const double value : result.value) total += value;
          // A sum of positive terms is off by at most each of its partial sums.
          const double share = std::sqrt(static_cast<double>(width)) + 2;
          for (std::size_t i = 0; i < result.value.size(); ++i) {
            result.value[i] *= op.scale / std::max(total, op.floor);
            result.error[i] = std::abs(result.value[i]) * share;
          }
          return result;
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void sinkhorn_split_cases(Suite& suite) {
  for (const std::uint32_t iterations : {1U, 20U}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(std::to_string(iterations) + " rounds", rows, [&](Case& c) {
        const std::uint32_t n = c.extent(4, 1, 1, 8);
        const std::uint32_t mixes = (2 + n) * n;
        auto op = c.op<ds4_op_sinkhorn_split>(DS4_OP_SINKHORN_SPLIT);
        const Weight& scale = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {3}, 0.5, 1);
        const Weight& base = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {mixes}, 1);
        std::vector<float> values(c.rows().rows * std::size_t{mixes});
        for (float& value : values) value = static_cast<float>(c.random().normal());
        const Tensor& x = c.floats({c.rows().rows, mixes}, values);
        const Tensor& pre = c.output(DS4_DTYPE_F32, {n});
        const Tensor& post = c.output(DS4_DTYPE_F32, {n});
        const Tensor& comb = c.output(DS4_DTYPE_F32, {n, n});
        op.scale = scale.handle;
        op.base = base.handle;
        op.mixes = x.view;
        op.pre = pre.view;
        op.post = post.view;
        op.comb = comb.view;
        op.eps = 1e-6;
        op.iterations = iterations;
        const auto group = [&](std::size_t row, std::uint32_t g) {
          const std::uint32_t count = g == 2 ? n * n : n;
          const Estimate raw = slice(exact(x.vector(row)), g * n, count);
          return sum(scaled(raw, static_cast<double>(scale.values[g])),
                     slice(exact(base.row(0)), g * n, count));
        };
        const auto pre_of = [&](std::size_t row) {
          Estimate result = logistic(group(row, 0));
          for (double& value : result.value) value += op.eps;
          return result;
        };
        const auto post_of = [&](std::size_t row) { return scaled(logistic(group(row, 1)), 2); };
        const auto comb_of = [&](std::size_t row) {
          return balanced(group(row, 2), n, op.iterations, op.eps);
        };
        c.compare(op.op, {{.name = "pre", .tensor = &pre, .expected = pre_of},
                          {.name = "post", .tensor = &post, .expected = post_of},
                          {.name = "comb", .tensor = &comb, .expected = comb_of}});
      });
    }
  }
}

void matmul_act_cases(Suite& suite) {
  for (const std::uint32_t dtype : {DS4_DTYPE_F32, DS4_DTYPE_INDEX_ROW}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(std::string(view_dtype_name(dtype)) + " keys", rows, [&](Case& c) {
        const std::uint32_t heads = c.extent(3, 1, 1, 16);
        const std::uint32_t dim = c.extent(64, 32, 32);
        constexpr std::uint32_t kKeys = 11;
        constexpr std::uint32_t kListed = 6;
        auto op = c.op<ds4_op_matmul_act>(DS4_OP_MATMUL_ACT);
        const Tensor& q = c.input({c.rows().rows, heads, dim});
        const Tensor& keys = c.encoded(dtype, {kKeys, dim});
        std::vector<std::int32_t> list;
        for (std::uint32_t i = 0; i < c.rows().rows * kListed; ++i) {
          list.push_back(i % 5 == 3 ? -1 : static_cast<std::int32_t>(c.random().below(kKeys)));
        }
        const Tensor& y = c.output(DS4_DTYPE_F32, {heads, kListed});
        op.q = q.view;
        op.keys.kind = DS4_SOURCE_LIST;
        op.keys.rows = keys.view;
        op.keys.list = c.ints({c.rows().rows, kListed}, list).view;
        op.y = y.view;
        const auto expected = [&](std::size_t row) {
          return joined(row, heads, [&](std::size_t head) {
            Estimate scores;
            for (std::uint32_t e = 0; e < kListed; ++e) {
              const std::int32_t id = list[row * kListed + e];
              if (id < 0) {
                append(scores, {{-std::numeric_limits<double>::infinity()}, {0}});
              } else {
                append(scores, dot(exact(q.vector(head)),
                                   exact(keys.vector(static_cast<std::size_t>(id)))));
              }
            }
            return scores;
          });
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void attention_rows_cases(Suite& suite) {
  attention_cases(suite, DS4_OP_ATTENTION_ROWS, DS4_SOURCE_LIST);
}

}  // namespace ds4::conformance
