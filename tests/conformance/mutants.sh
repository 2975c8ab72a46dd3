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
sink sign flipped|cpu-reference/ops/fused_attention.hpp|s/sink != nullptr ? std::exp(\*sink - shift)/sink != nullptr ? std::exp(-*sink - shift)/
sink left out of the sum|cpu-reference/ops/fused_attention.hpp|s/sink != nullptr ? std::exp(\*sink - shift) : 0/0/
window one row short|cpu-reference/ops/fused_attention.hpp|s/e < n; ++e) {$/e + 1 < n; ++e) {/
output not rotated back|cpu-reference/ops/fused_attention.hpp|s/at.turns.rotate(op.rope, at.sum, width);//
score scale missing|cpu-reference/ops/fused_attention.hpp|s/width) \* op.scale/width)/
sources swapped|cpu-reference/ops/fused_attention.hpp|s/Context::source(op.source\[0\]), Context::source(op.source\[1\])/Context::source(op.source[1]), Context::source(op.source[0])/
attention_rows: no sink|cpu-reference/ops/attention_rows.cpp|s/total = sink != nullptr ? std::exp(sink\[h\] - shift) : 0/total = 0/
rotation: inverse ignored|cpu-common/rope.hpp|s/DS4_ROPE_INVERSE) != 0 ? -1.0/DS4_ROPE_INVERSE) != 0 ? 1.0/
rotation: yarn ramp turned round|cpu-common/rope.hpp|s/ramp + plain \* (1 - ramp)/(1 - ramp) + plain * ramp/
rotation: first values instead of last|cpu-common/rope.hpp|s/values + (width - rope.dims)/values/
rotation: yarn factor missing|cpu-common/rope.hpp|s/plain \/ rope.factor/plain/
comb not transposed|cpu-reference/ops/hc_post.cpp|s/comb.row(r, j))\[k\]/comb.row(r, k))[j]/
post gate missing|cpu-reference/ops/hc_post.cpp|s/double sum = gate \* from\[d\]/double sum = from[d]/
post not doubled|cpu-reference/ops/hc_pre.cpp|s/static_cast<float>(2 \* logistic/static_cast<float>(1 * logistic/
hc eps dropped|cpu-reference/ops/hc_pre.cpp|s/logistic(mixed(s, 0)) + op.hc_eps/logistic(mixed(s, 0))/
hc_pre: eps of the last norm dropped|cpu-reference/ops/hc_pre.cpp|s/inverse_rms(at.sum, x.width, op.eps)/inverse_rms(at.sum, x.width, 0)/
one Sinkhorn round less|cpu-reference/ops/sinkhorn.hpp|s/round < iterations/round + 1 < iterations/
Sinkhorn without eps|cpu-reference/ops/sinkhorn.hpp|s/row\[k\] \/ sum + eps/row[k] \/ sum/
route scale missing|cpu-reference/ops/route.cpp|s/score \/ sum \* op.scale/score \/ sum/
route weights take the bias|cpu-reference/ops/route.cpp|s/sum += score_row(r)\[chosen\[k\]\]/sum += score_row(r)[chosen[k]] + (bias ? bias[chosen[k]] : 0)/
route bias ignored|cpu-reference/ops/route.cpp|s/bias != nullptr ? bias\[e\] : 0.0F/0.0F/
route ties to the higher id|cpu-reference/ops/route.cpp|s/value > best_value ||/value >= best_value ||/
route floor missing|cpu-reference/ops/route.cpp|s/if (sum < op.floor) sum = op.floor;//
rank: ties to the higher id|cpu-common/ranking.hpp|s/return a < b;/return a > b;/
rank: NaN first|cpu-common/ranking.hpp|s/return b_is_nan;/return a_is_nan;/
rank: -inf may be chosen|cpu-common/ranking.hpp|s/return value != -std::numeric_limits<float>::infinity()/return value == value || true/
topk: ascending flag ignored|cpu-reference/ops/topk.cpp|s/(op.op.flags \& DS4_TOPK_ASCENDING_IDS) != 0/false/
index_topk: count off by one|cpu-reference/ops/index_topk.cpp|s/e < n; ++e/e + 1 < n; ++e/
index_topk: ids unsorted|cpu-reference/ops/index_topk.cpp|s/std::sort(heap, end);//
sample_argmax: last of equals|cpu-reference/ops/sample_argmax.cpp|s/ranks_before(logits, e, best)/logits[e] >= logits[best]/
pool: halves swapped|cpu-reference/ops/compress_emit.cpp|s/2 \* e >= span/2 * e < span/
pool helper: halves swapped (composition)|cpu-reference/ops/softmax_pool.cpp|s/e >= list.width \/ 2/e < list.width \/ 2/
pool: -1 not left out|cpu-reference/ops/compress_emit.cpp|s/ids\[e\] == -1 ? -std::numeric_limits<double>::infinity()/false ? 0.0/;s/if (ids\[e\] == -1) continue;/if (ids[e] == -1) { sum += 1; continue; }/;s/double{pairs.at(ids\[e\])/double{pairs.at(ids[e] < 0 ? 0 : ids[e])/
emit: gain dropped|cpu-reference/ops/compress_emit.cpp|s/= gain\[d\] \* (at.pooled\[d\] \* scale)/= at.pooled[d] * scale/
window offset dropped|cpu-reference/ops/compress_project.cpp|s/double{scores\[d\]} + offsets\[d\]/double{scores[d]}/
window offset of row 0|cpu-reference/ops/compress_project.cpp|s/static_cast<std::uint32_t>(row), at.offsets/0, at.offsets/
gate clamped on both sides|cpu-reference/ops/swiglu.hpp|s/if (gate > limit) gate = limit;/if (gate > limit) gate = limit; if (gate < -limit) gate = -limit;/
up clamped on one side|cpu-reference/ops/swiglu.hpp|s/if (up < -limit) up = -limit;//
sigmoid instead of silu|cpu-reference/ops/swiglu.hpp|s/return gate \* logistic(gate)/return logistic(gate)/
fp8 scale: floor|cpu-common/row_codec.cpp|s/return ceil_e8m0(block_maximum(x, n, kFp8Floor) \/ 448.0F)/return static_cast<std::uint8_t>(float_to_bits(block_maximum(x, n, kFp8Floor) \/ 448.0F) >> 23)/
fp4 scale: floor|cpu-common/row_codec.cpp|s/return ceil_e8m0(block_maximum(x, n, kFp4Floor) \/ 6.0F)/return static_cast<std::uint8_t>(float_to_bits(block_maximum(x, n, kFp4Floor) \/ 6.0F) >> 23)/
fp8 floor 1e-4 missing|cpu-common/row_codec.cpp|s/kFp8Floor = 1e-4F/kFp8Floor = 1e-30F/
tail not rounded to bf16|cpu-common/row_codec.cpp|s/(rounding.flags \& DS4_ROUNDING_TAIL_BF16) != 0/false/
transform without its factor|cpu-common/row_codec.cpp|s/1 \/ std::sqrt(static_cast<double>(width))/0.125 * 0.999/
transform left out|cpu-common/row_codec.cpp|s/(rounding.flags \& DS4_ROUNDING_HADAMARD) != 0/false/
nibbles swapped|cpu-common/row_codec.cpp|s/>> (4 \* (i \& 1u))/>> (4 * (~i \& 1u))/
half rows read as bf16|cpu-common/row_codec.cpp|s/dtype == DS4_DTYPE_F16 ? half_to_float(bits) : bf16/dtype == DS4_DTYPE_I32 ? half_to_float(bits) : bf16/
e4m3 ties away|cpu-common/numbers.hpp|/constexpr std::uint8_t float_to_e4m3/,/^}/s/rest == half_ulp \&\& (fraction \& 1u) != 0/rest == half_ulp/
e2m1 ties up|cpu-common/numbers.hpp|s/magnitude == middle \&\& (code \& 1u) != 0/magnitude == middle/
gate and up swapped|cpu-reference/ops/ffn_shared.cpp|s/swiglu(dot(x, gate, v.width), dot(x, up, v.width)/swiglu(dot(x, up, v.width), dot(x, gate, v.width)/
accumulate ignored|cpu-reference/ops/ffn_shared.cpp|s/accumulates ? out + value : value/value/
matmul: accumulate ignored|cpu-reference/ops/matmul.cpp|s/accumulates ? double{out} + sum : sum/sum/
expert weight missing|cpu-reference/ops/moe_routed.cpp|s/mid \* f32(weights.row(r))\[slot % k\]/mid/
expert weight of the first slot|cpu-reference/ops/moe_routed.cpp|s/\[slot % k\]/[0]/
last expert left out|cpu-reference/ops/moe_routed.cpp|s/s < k; ++s/s + 1 < k; ++s/
wrong head group|cpu-reference/ops/attn_out.cpp|s/i \/ rank;/(i \/ rank + 1) % op.wo_a->extent[0];/
interleaved head groups|cpu-reference/ops/attn_out.cpp|s/f32(o.row(r)) + group \* in/f32(o.row(r)) + group/
head: gain dropped|cpu-reference/ops/head.cpp|s/gain\[d\] \* (out\[d\] \* norm)/out[d] * norm/
head: base dropped|cpu-reference/ops/head.cpp|s/mix \* scale + base\[s\]/mix * scale/
head: row id ignored|cpu-reference/ops/head.cpp|s/static_cast<std::uint64_t>(id) \* x.stride0/static_cast<std::uint64_t>(r % step_rows) * x.stride0/
norm eps outside the root|cpu-reference/ops/common.hpp|s/static_cast<double>(n) + eps)/static_cast<double>(n)) * 1.0 + 0 * eps/
norm eps dropped|cpu-reference/ops/q_project.cpp|s/rank, op.eps)/rank, 0)/
query not rotated|cpu-reference/ops/q_project.cpp|s/at.turns.rotate(op.rope, head, dim);//
relu missing|cpu-reference/ops/index_score.cpp|s/product < 0 ? 0 : product/product/
index scale missing|cpu-reference/ops/index_score.cpp|s/u.width) \* op.scale/u.width)/
page index off by one|cpu-common/moves.cpp|/^void run_page_rows(/,/^}/{s/% op.page_rows;/% op.page_rows + 1;/}
page of another session|cpu-common/moves.cpp|/^void run_page_rows(/,/^}/{s/table.entry(static_cast<std::uint32_t>(s))/table.entry(0)/}
page_rows: -1 becomes 0|cpu-common/moves.cpp|/^void run_page_rows(/,/^}/{s/out\[k\] = -1;/out[k] = 0;/}
gather: fill ignored|cpu-common/moves.cpp|/^void run_gather_rows(/,/^}/{s/std::fill_n(f32(out), y.width, static_cast<float>(op.fill))/std::fill_n(f32(out), y.width, 0.0F)/}
scatter: -1 writes row 0|cpu-common/moves.cpp|/^void run_scatter_rows(/,/^}/{s/== -1/== -77/;s/ids.row(r))/ids.row(r)) < 0 ? 0 : *i32(ids.row(r))/}
take_columns: off by one|cpu-common/moves.cpp|/^void run_take_columns(/,/^}/{s/\[id\]/[id ? id - 1 : id]/}
softmax_sink: sink out of the sum|cpu-reference/ops/softmax_sink.cpp|s/double sum = std::exp(extra - shift)/double sum = 0/
softmax_sink: empty row is NaN|cpu-reference/ops/softmax_sink.cpp|s/maximum == kNone ? 0 : maximum/maximum/
sampled token of the wrong row|cpu-common/moves.cpp|/^void run_resolve_tokens(/,/^}/{s/k = -1 - std::int64_t{token}/k = -2 - std::int64_t{token} < 0 ? 0 : -2 - std::int64_t{token}/}
embedding of the next token|cpu-common/moves.cpp|/^void run_embed_streams(/,/^}/{s/static_cast<std::uint32_t>(token), first/static_cast<std::uint32_t>((token + 1) % vocabulary), first/}
commit in the wrong ring row|cpu-common/moves.cpp|/^void run_commit(/,/^}/{s/ring.entry(static_cast<std::uint32_t>(to))/ring.entry(static_cast<std::uint32_t>(to ? to - 1 : to))/}
steer: scale missing|cpu-reference/ops/steer.cpp|s/op.scale \* dot/dot/
steer: added|cpu-reference/ops/steer.cpp|s/stream\[d\] - part/stream[d] + part/
silu for sigmoid in unary|cpu-reference/ops/unary.cpp|s/return logistic(z);/return z * logistic(z);/
softplus switch at 2|cpu-reference/ops/unary.cpp|s/z > 20/z > 2/
LIST

mkdir "$work/src"
cp -r "$root/backends/cpu-common" "$root/backends/cpu-reference" "$work/src"
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
    more=$(cd "$work/src" && grep -rlE "#include \"([a-z./-]*/)?($pattern)\"" . | xargs -rn1 basename)
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
