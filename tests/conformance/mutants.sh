#!/bin/sh
# Breaks the reference backend one small change at a time and expects the programs given to notice.
#
#   tests/conformance/mutants.sh <ds4-conformance> [jobs] [pattern of labels]
#
# Run by hand: some minutes. The broken op's own cases are tried first. Prints one line per change: what changed and which ops' cases failed (those of the first
# stage that noticed). Exit: 0 all
# were noticed, 1 some were not.
set -eu

conformance=$(realpath "$1")
jobs=${2:-2}
only=${3:-.}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cxx="${CXX:-c++} -std=c++20 -O1 -fPIC -ffp-contract=off -fvisibility=hidden -I$root/plugins/include"

# label | file | sed expression
cat >"$work/list" <<'LIST'
sink sign flipped|ops/fused_attention.hpp|s/sink != nullptr ? std::exp(\*sink - shift)/sink != nullptr ? std::exp(-*sink - shift)/
sink left out of the sum|ops/fused_attention.hpp|s/sink != nullptr ? std::exp(\*sink - shift) : 0/0/
window one row short|ops/fused_attention.hpp|s/e < n; ++e) {$/e + 1 < n; ++e) {/
output not rotated back|ops/fused_attention.hpp|s/at.turns.rotate(op.rope, at.sum, width);//
score scale missing|ops/fused_attention.hpp|s/width) \* op.scale/width)/
sources swapped|ops/fused_attention.hpp|s/Context::source(op.source\[0\]), Context::source(op.source\[1\])/Context::source(op.source[1]), Context::source(op.source[0])/
attention_rows: no sink|ops/attention_rows.cpp|s/total = sink != nullptr ? std::exp(sink\[h\] - shift) : 0/total = 0/
rotation: inverse ignored|rope.hpp|s/DS4_ROPE_INVERSE) != 0 ? -1.0/DS4_ROPE_INVERSE) != 0 ? 1.0/
rotation: yarn ramp turned round|rope.hpp|s/ramp + plain \* (1 - ramp)/(1 - ramp) + plain * ramp/
rotation: first values instead of last|rope.hpp|s/values + (width - rope.dims)/values/
rotation: yarn factor missing|rope.hpp|s/plain \/ rope.factor/plain/
comb not transposed|ops/hc_post.cpp|s/comb.row(r, j))\[k\]/comb.row(r, k))[j]/
post gate missing|ops/hc_post.cpp|s/double sum = gate \* from\[d\]/double sum = from[d]/
post not doubled|ops/hc_pre.cpp|s/static_cast<float>(2 \* logistic/static_cast<float>(1 * logistic/
hc eps dropped|ops/hc_pre.cpp|s/logistic(mixed(s, 0)) + op.hc_eps/logistic(mixed(s, 0))/
hc_pre: eps of the last norm dropped|ops/hc_pre.cpp|s/inverse_rms(at.sum, x.width, op.eps)/inverse_rms(at.sum, x.width, 0)/
one Sinkhorn round less|ops/sinkhorn.hpp|s/round < iterations/round + 1 < iterations/
Sinkhorn without eps|ops/sinkhorn.hpp|s/row\[k\] \/ sum + eps/row[k] \/ sum/
route scale missing|ops/route.cpp|s/score \/ sum \* op.scale/score \/ sum/
route weights take the bias|ops/route.cpp|s/sum += score_row(r)\[chosen\[k\]\]/sum += score_row(r)[chosen[k]] + (bias ? bias[chosen[k]] : 0)/
route bias ignored|ops/route.cpp|s/bias != nullptr ? bias\[e\] : 0.0F/0.0F/
route ties to the higher id|ops/route.cpp|s/value > best_value ||/value >= best_value ||/
route floor missing|ops/route.cpp|s/if (sum < op.floor) sum = op.floor;//
rank: ties to the higher id|ops/ranking.hpp|s/return a < b;/return a > b;/
rank: NaN first|ops/ranking.hpp|s/return b_is_nan;/return a_is_nan;/
rank: -inf may be chosen|ops/ranking.hpp|s/return value != -std::numeric_limits<float>::infinity()/return value == value || true/
topk: ascending flag ignored|ops/topk.cpp|s/(op.op.flags \& DS4_TOPK_ASCENDING_IDS) != 0/false/
index_topk: count off by one|ops/index_topk.cpp|s/e < n; ++e/e + 1 < n; ++e/
index_topk: ids unsorted|ops/index_topk.cpp|s/std::sort(heap, end);//
sample_argmax: last of equals|ops/sample_argmax.cpp|s/ranks_before(logits, e, best)/logits[e] >= logits[best]/
pool: halves swapped|ops/compress_emit.cpp|s/2 \* e >= span/2 * e < span/
pool helper: halves swapped (composition)|ops/softmax_pool.cpp|s/e >= list.width \/ 2/e < list.width \/ 2/
pool: -1 not left out|ops/compress_emit.cpp|s/ids\[e\] == -1 ? -std::numeric_limits<double>::infinity()/false ? 0.0/;s/if (ids\[e\] == -1) continue;/if (ids[e] == -1) { sum += 1; continue; }/;s/double{pairs.at(ids\[e\])/double{pairs.at(ids[e] < 0 ? 0 : ids[e])/
emit: gain dropped|ops/compress_emit.cpp|s/= gain\[d\] \* (at.pooled\[d\] \* scale)/= at.pooled[d] * scale/
window offset dropped|ops/compress_project.cpp|s/double{scores\[d\]} + offsets\[d\]/double{scores[d]}/
window offset of row 0|ops/compress_project.cpp|s/static_cast<std::uint32_t>(row), at.offsets/0, at.offsets/
gate clamped on both sides|ops/swiglu.hpp|s/if (gate > limit) gate = limit;/if (gate > limit) gate = limit; if (gate < -limit) gate = -limit;/
up clamped on one side|ops/swiglu.hpp|s/if (up < -limit) up = -limit;//
sigmoid instead of silu|ops/swiglu.hpp|s/return gate \* logistic(gate)/return logistic(gate)/
fp8 scale: floor|row_codec.cpp|s/return ceil_e8m0(block_maximum(x, n, kFp8Floor) \/ 448.0F)/return static_cast<std::uint8_t>(float_to_bits(block_maximum(x, n, kFp8Floor) \/ 448.0F) >> 23)/
fp4 scale: floor|row_codec.cpp|s/return ceil_e8m0(block_maximum(x, n, kFp4Floor) \/ 6.0F)/return static_cast<std::uint8_t>(float_to_bits(block_maximum(x, n, kFp4Floor) \/ 6.0F) >> 23)/
fp8 floor 1e-4 missing|row_codec.cpp|s/kFp8Floor = 1e-4F/kFp8Floor = 1e-30F/
tail not rounded to bf16|row_codec.cpp|s/(rounding.flags \& DS4_ROUNDING_TAIL_BF16) != 0/false/
transform without its factor|row_codec.cpp|s/1 \/ std::sqrt(static_cast<double>(width))/0.125 * 0.999/
transform left out|row_codec.cpp|s/(rounding.flags \& DS4_ROUNDING_HADAMARD) != 0/false/
nibbles swapped|row_codec.cpp|s/>> (4 \* (i \& 1u))/>> (4 * (~i \& 1u))/
half rows read as bf16|row_codec.cpp|s/dtype == DS4_DTYPE_F16 ? half_to_float(bits) : bf16/dtype == DS4_DTYPE_I32 ? half_to_float(bits) : bf16/
e4m3 ties away|numbers.hpp|/constexpr std::uint8_t float_to_e4m3/,/^}/s/rest == half_ulp \&\& (fraction \& 1u) != 0/rest == half_ulp/
e2m1 ties up|numbers.hpp|s/magnitude == middle \&\& (code \& 1u) != 0/magnitude == middle/
gate and up swapped|ops/ffn_shared.cpp|s/swiglu(dot(x, gate, v.width), dot(x, up, v.width)/swiglu(dot(x, up, v.width), dot(x, gate, v.width)/
accumulate ignored|ops/ffn_shared.cpp|s/accumulates ? double{out} + sum : sum/sum/
matmul: accumulate ignored|ops/matmul.cpp|s/accumulates ? double{out} + sum : sum/sum/
expert weight missing|ops/moe_routed.cpp|s/mid \* f32(weights.row(r))\[slot % k\]/mid/
expert weight of the first slot|ops/moe_routed.cpp|s/\[slot % k\]/[0]/
last expert left out|ops/moe_routed.cpp|s/s < k; ++s/s + 1 < k; ++s/
wrong head group|ops/attn_out.cpp|s/i \/ rank;/(i \/ rank + 1) % op.wo_a->extent[0];/
interleaved head groups|ops/attn_out.cpp|s/f32(o.row(r)) + group \* in/f32(o.row(r)) + group/
head: gain dropped|ops/head.cpp|s/gain\[d\] \* (out\[d\] \* norm)/out[d] * norm/
head: base dropped|ops/head.cpp|s/mix \* scale + base\[s\]/mix * scale/
head: row id ignored|ops/head.cpp|s/static_cast<std::uint64_t>(id) \* x.stride0/static_cast<std::uint64_t>(r % step_rows) * x.stride0/
norm eps outside the root|ops/common.hpp|s/static_cast<double>(n) + eps)/static_cast<double>(n)) * 1.0 + 0 * eps/
norm eps dropped|ops/q_project.cpp|s/rank, op.eps)/rank, 0)/
query not rotated|ops/q_project.cpp|s/at.turns.rotate(op.rope, head, dim);//
relu missing|ops/index_score.cpp|s/product < 0 ? 0 : product/product/
index scale missing|ops/index_score.cpp|s/u.width) \* op.scale/u.width)/
page index off by one|ops/page_rows.cpp|s/% op.page_rows;/% op.page_rows + 1;/
page of another session|ops/page_rows.cpp|s/table.entry(static_cast<std::uint32_t>(s))/table.entry(0)/
page_rows: -1 becomes 0|ops/page_rows.cpp|s/out\[k\] = -1;/out[k] = 0;/
gather: fill ignored|ops/gather_rows.cpp|s/std::fill_n(f32(out), y.width, static_cast<float>(op.fill))/std::fill_n(f32(out), y.width, 0.0F)/
scatter: -1 writes row 0|ops/scatter_rows.cpp|s/== -1/== -77/;s/ids.row(r))/ids.row(r)) < 0 ? 0 : *i32(ids.row(r))/
take_columns: off by one|ops/take_columns.cpp|s/\[id\]/[id ? id - 1 : id]/
softmax_sink: sink out of the sum|ops/softmax_sink.cpp|s/double sum = std::exp(extra - shift)/double sum = 0/
softmax_sink: empty row is NaN|ops/softmax_sink.cpp|s/maximum == kNone ? 0 : maximum/maximum/
sampled token of the wrong row|ops/resolve_tokens.cpp|s/k = -1 - std::int64_t{token}/k = -2 - std::int64_t{token} < 0 ? 0 : -2 - std::int64_t{token}/
embedding of the next token|ops/embed_streams.cpp|s/op.weight->row(static_cast<std::uint32_t>(token))/op.weight->row(static_cast<std::uint32_t>((token + 1) % vocabulary))/
commit in the wrong ring row|ops/commit.hpp|s/ring.entry(static_cast<std::uint32_t>(to))/ring.entry(static_cast<std::uint32_t>(to ? to - 1 : to))/
steer: scale missing|ops/steer.cpp|s/op.scale \* dot/dot/
steer: added|ops/steer.cpp|s/stream\[d\] - part/stream[d] + part/
silu for sigmoid in unary|ops/unary.cpp|s/return logistic(z);/return z * logistic(z);/
softplus switch at 2|ops/unary.cpp|s/z > 20/z > 2/
LIST

cp -r "$root/backends/cpu-reference" "$work/src"
mkdir "$work/good"
(cd "$work/src" && find . -name '*.cpp' | sed 's|^\./||') >"$work/sources"

# compile <source folder> <object folder> <file>...
compile() {
  from=$1 to=$2
  shift 2
  for file in "$@"; do echo "$file"; done |
    xargs -P "$jobs" -I{} sh -c \
      "$cxx -I$from -c $from/{} -o $to/\$(echo {} | tr / _ | sed 's/cpp\$/o/')"
}
# shellcheck disable=SC2046
compile "$work/src" "$work/good" $(cat "$work/sources")

# The ops that have cases; the unbroken backend must pass them.
${CXX:-c++} -shared -o "$work/good.so" "$work"/good/*.o
"$conformance" "$work/good.so" --threads 1 --case "5 rows" >"$work/known"

# What includes a file, directly or through others, by name.
users() {
  found=$(basename "$1")
  while :; do
    pattern=$(echo "$found" | sed 's/\./\\./g' | tr ' ' '\n' | paste -sd'|')
    more=$(cd "$work/src" && grep -rlE "#include \"(ops/|\.\./)?($pattern)\"" . | xargs -rn1 basename)
    next=$(printf '%s\n' $found $more | sort -u | paste -sd' ')
    [ "$next" = "$found" ] && break
    found=$next
  done
  for name in $found; do (cd "$work/src" && find . -name "$name" -name '*.cpp' | sed 's|^\./||'); done
}

total=0
missed=0
while IFS='|' read -r label file change; do
  echo "$label" | grep -qE "$only" || continue
  rm -rf "$work/mutant" "$work/objects"
  cp -r "$work/src" "$work/mutant"
  cp -r "$work/good" "$work/objects"
  sed -i "$change" "$work/mutant/$file"
  total=$((total + 1))
  if cmp -s "$work/src/$file" "$work/mutant/$file"; then
    echo "$label -> NOT APPLIED"
    missed=$((missed + 1))
    continue
  fi
  # shellcheck disable=SC2046
  if ! compile "$work/mutant" "$work/objects" $(users "$file") 2>"$work/errors"; then
    echo "$label -> DOES NOT COMPILE: $(grep -m1 error "$work/errors")"
    missed=$((missed + 1))
    continue
  fi
  ${CXX:-c++} -shared -o "$work/mutant.so" "$work"/objects/*.o
  run() { timeout 300 "$conformance" "$work/mutant.so" --threads 1 "$@" >"$work/out" 2>&1; }
  # The op of the file first, then few rows of every op, then everything.
  op=$(basename "$file" .cpp)
  caught=0
  for cases in "--op $op" "--case 5_rows" ""; do
    [ "$cases" != "--op $op" ] || grep -q "^$op " "$work/known" || continue
    # shellcheck disable=SC2086
    (set -f; IFS=' '; set -- $cases; [ "${2-}" != 5_rows ] || set -- --case "5 rows"; run "$@") ||
      { caught=1; break; }
  done
  if [ "$caught" = 0 ]; then
    echo "$label -> MISSED"
    missed=$((missed + 1))
  else
    echo "$label -> $(awk '$NF == "FAIL" { print $1 }' "$work/out" | paste -sd' ')"
  fi
done <"$work/list"
echo "$((total - missed)) of $total noticed"
[ "$missed" = 0 ]
