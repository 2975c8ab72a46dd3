"""Runs the oracle models in `transformers` and writes the vectors under tests/golden/oracle.

    python3 transformers_oracle.py [--out DIR] [--shape oracle-a] [--check]

The model is loaded by `transformers` itself from a checkpoint in the official layout (save_checkpoint.py), so names,
configuration and mathematics are all its own. --check only verifies the runs against each other and writes nothing.
"""
import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

import save_checkpoint
import shapes
import vectors
from counter_rng import CounterRng

PROMPTS = (1, 7, 130, 600, 2100)
LOGIT_ROWS = {1: 1, 7: 7, 130: 64, 600: 32, 2100: 24}


def prompt_tokens(shape, count):
    """Token i of the prompt of `count` tokens: raw(i) mod vocab under the name "prompt.<count>"."""
    return (CounterRng(shape.seed, f"prompt.{count}").raw(count) % np.uint64(shape.vocab)).astype(np.int64)


def top_ids(scores, count):
    """Indices of the `count` largest along the last axis, equal scores by lower index."""
    return torch.sort(scores, dim=-1, descending=True, stable=True).indices[..., :count]


class Oracle:
    """A loaded model with hooks that record selections, their margins and the streams after each layer."""

    def __init__(self, shape, folder):
        self.shape = shape
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager")
        self.model.eval()
        self.clear()
        self.ties = 0
        for layer, block in enumerate(self.model.model.layers):
            block.register_forward_hook(lambda module, inputs, output, layer=layer: self.on_layer(layer, output))
            block.mlp.gate.register_forward_hook(
                lambda module, inputs, output, layer=layer: self.on_router(layer, module, output))
            if shape.ratios[layer] == 4:
                indexer = block.self_attn.compressor.indexer
                indexer.scorer.register_forward_hook(lambda module, inputs, output: self.on_scores(output))
                indexer.register_forward_hook(
                    lambda module, inputs, output, layer=layer: self.on_indexer(layer, inputs, output))

    def clear(self):
        self.streams, self.experts, self.expert_margins, self.rows, self.row_margins = {}, {}, {}, {}, {}

    def on_layer(self, layer, output):
        self.streams[layer] = output[0].numpy().copy()

    def on_router(self, layer, module, output):
        logits, _, indices = output
        if layer < self.shape.hash_layers:
            self.experts[layer] = indices.numpy().copy()
            self.expert_margins[layer] = np.full(len(indices), np.inf, np.float32)
            return
        used = self.shape.experts_used
        scores = module.score_fn(logits) + module.e_score_correction_bias
        order = top_ids(scores, used + 1)
        assert torch.equal(order[:, :used].sort().values, indices.sort().values), "the router's choice is not the top-k"
        ranked = scores.gather(1, order)
        self.experts[layer] = order[:, :used].numpy()
        self.expert_margins[layer] = (ranked[:, used - 1] - ranked[:, used]).numpy()

    def on_scores(self, scores):
        self.scores = scores

    def on_indexer(self, layer, inputs, output):
        """Imposes the tie rule (lower row first); checks that nothing but exact ties differs from `transformers`."""
        position_ids, count = inputs[2], self.shape.index_top_k
        visible = (position_ids[0] + 1) // 4
        rows = self.scores.shape[-1]
        masked = self.scores[0].masked_fill(torch.arange(rows) >= visible[:, None], -torch.inf)
        order = top_ids(masked, min(count + 1, rows))
        ranked = masked.gather(1, order)
        chosen = order[:, :count]
        is_chosen = chosen < visible[:, None]
        margin = torch.full((len(masked),), torch.inf)
        if rows > count:
            last, best = ranked[:, count - 1], ranked[:, count]
            gap = (last - best) / torch.maximum(last.abs(), best.abs()).clamp_min(1e-30)
            margin = torch.where(visible > count, gap, margin)
        ours = torch.where(is_chosen, chosen, -1)
        differs = (ours.sort().values != output[0].sort().values).any(-1)
        assert not (differs & (margin > 0)).any(), "the indexer's choice is not the top-k"
        self.ties += int(differs.sum())
        packed = np.full((len(masked), count), vectors.NO_ROW, np.uint16)
        ascending = torch.where(is_chosen, chosen, vectors.NO_ROW).sort().values.numpy()
        packed[:, : ascending.shape[1]] = ascending
        self.rows[layer], self.row_margins[layer] = packed, margin.numpy()
        return ours[None]

    @torch.no_grad()
    def run(self, tokens):
        """Logits [T, V] of one uncached pass; the records of the hooks are those of this pass."""
        self.clear()
        ids = torch.from_numpy(np.asarray(tokens))[None]
        return self.model(input_ids=ids, use_cache=False).logits[0].numpy()

    @torch.no_grad()
    def run_chunks(self, tokens, chunk):
        """The same through the cache, `chunk` tokens at a time."""
        ids, cache, out = torch.from_numpy(np.asarray(tokens))[None], None, []
        for begin in range(0, ids.shape[1], chunk):
            result = self.model(input_ids=ids[:, begin:begin + chunk], past_key_values=cache, use_cache=True)
            cache = result.past_key_values
            out.append(result.logits[0].numpy())
        return np.concatenate(out)


def arrays_of(oracle, tokens, logits):
    shape, count = oracle.shape, len(tokens)
    positions = np.unique(np.linspace(0, count - 1, LOGIT_ROWS[count]).round().astype(np.int64))
    ranked = -np.sort(-logits, axis=-1)
    sparse = [layer for layer, ratio in enumerate(shape.ratios) if ratio == 4]
    layers = range(shape.layers)
    with_streams = shape.name == "oracle-a" and count == 7
    streams = np.stack([oracle.streams[layer] for layer in layers])
    return {
        "tokens": tokens, "sparse_layers": np.array(sparse), "positions": positions, "logits": logits[positions],
        "top1": logits.argmax(-1), "top_gap": ranked[:, 0] - ranked[:, 1],
        "experts": np.stack([oracle.experts[layer] for layer in layers]),
        "expert_margins": np.stack([oracle.expert_margins[layer] for layer in layers]),
        "index_rows": np.stack([oracle.rows[layer] for layer in sparse]),
        "index_margins": np.stack([oracle.row_margins[layer] for layer in sparse]),
        "streams": streams if with_streams else streams[:0],
    }


def frequency_error(shape, rotary):
    """Largest relative difference of the model's float32 frequencies from those computed in double."""
    i = np.arange(shape.rot_dim // 2, dtype=np.float64)
    plain = shape.rope_base ** (-2 * i / shape.rot_dim)
    scaled = shape.compress_rope_base ** (-2 * i / shape.rot_dim)

    def dim(turns):
        return shape.rot_dim * np.log(shape.yarn_context / (2 * np.pi * turns)) / (2 * np.log(shape.compress_rope_base))

    low, high = max(np.floor(dim(shape.yarn_fast)), 0), min(np.ceil(dim(shape.yarn_slow)), shape.rot_dim - 1)
    ramp = np.clip((i - low) / (high - low + (0.001 if low == high else 0)), 0, 1)
    yarn = scaled / shape.yarn_factor * ramp + scaled * (1 - ramp)
    return max(np.max(np.abs(rotary.main_inv_freq.numpy() / plain - 1)),
               np.max(np.abs(rotary.compress_inv_freq.numpy() / yarn - 1)))


def weight_check(shape, model):
    """A few parameters against the arrays they come from, so that a silent transposition cannot pass."""
    gguf, layers = shapes.gguf_tensors(shape), model.model.layers
    assert np.array_equal(model.lm_head.weight.detach().numpy(), gguf["output.weight"])
    assert np.array_equal(layers[0].mlp.gate.tid2eid.numpy(), gguf["blk.0.ffn_gate_tid2eid.weight"])
    merged = np.concatenate([gguf["blk.1.ffn_gate_exps.weight"], gguf["blk.1.ffn_up_exps.weight"]], axis=1)
    assert np.array_equal(layers[1].mlp.experts.gate_up_proj.detach().numpy(), merged)
    assert np.array_equal(layers[-1].mlp.gate.e_score_correction_bias.numpy(),
                          gguf[f"blk.{shape.layers - 1}.exp_probs_b.bias"])
    sparse = shape.ratios.index(4)
    assert np.array_equal(layers[sparse].self_attn.compressor.indexer.position_bias.detach().numpy(),
                          gguf[f"blk.{sparse}.indexer_compressor_ape.weight"])


def relative(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def consistency(oracle):
    """A prefix of a prompt, and the cached passes, give the logits of the one-shot pass."""
    tokens = prompt_tokens(oracle.shape, 600)
    whole = oracle.run(tokens)
    experts = {layer: ids.copy() for layer, ids in oracle.experts.items()}
    for count in (5, 131, 300):
        part = oracle.run(tokens[:count])
        moved = sum(int((oracle.experts[layer] != experts[layer][:count]).any(-1).sum()) for layer in experts)
        print(f"  prefix {count}: max |dlogit| / max |logit| {relative(part, whole[:count]):.2e}, experts moved {moved}")
    for chunk in (1, 37, 128):
        count = 140 if chunk == 1 else 600
        print(f"  cached, chunks of {chunk}: {relative(oracle.run_chunks(tokens[:count], chunk), whole[:count]):.2e}")


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=here.parent / "golden" / "oracle")
    parser.add_argument("--shape", choices=shapes.SHAPES, action="append")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    for name in arguments.shape or shapes.SHAPES:
        shape = shapes.SHAPES[name]
        with tempfile.TemporaryDirectory() as folder:
            save_checkpoint.save(shape, folder)
            oracle = Oracle(shape, folder)
        weight_check(shape, oracle.model)
        error = frequency_error(shape, oracle.model.model.rotary_emb)
        assert error < 1e-6, "the rope frequencies are not those of the description"
        print(f"{name}: rope frequencies differ from double by {error:.1e}")
        if arguments.check:
            consistency(oracle)
            continue
        arguments.out.mkdir(parents=True, exist_ok=True)
        digests = save_checkpoint.digests(shape, "f32")
        (arguments.out / f"{name}.digests.txt").write_text(digests)
        for count in PROMPTS:
            tokens = prompt_tokens(shape, count)
            oracle.ties = 0
            logits = oracle.run(tokens)
            arrays = arrays_of(oracle, tokens, logits)
            vectors.write(arguments.out / f"{name}-{count}.bin", shape.seed, shape.vocab, arrays)
            near = (arrays["expert_margins"] < 1e-4).sum(), (arrays["index_margins"] < 1e-3).sum()
            print(f"  {count} tokens: max |logit| {np.abs(logits).max():.3f}, least top-2 gap {arrays['top_gap'].min():.1e}, "
                  f"expert margins below 1e-4: {near[0]}, index margins below 1e-3: {near[1]}, "
                  f"exact index ties re-ordered: {oracle.ties}")


if __name__ == "__main__":
    main()
