"""The oracle models: their shapes, their weights and the official names of both.

A model is a pure function of its entry in SHAPES: every weight comes from counter_rng.py under its GGUF
name, so tests/golden/oracle_models.cpp rebuilds the same values in C++ and no weight is committed.
"""
from dataclasses import dataclass

import numpy as np

from counter_rng import CounterRng


@dataclass(frozen=True)
class Shape:
    name: str
    seed: int
    ratios: tuple
    width: int
    heads: int
    head_dim: int
    rot_dim: int
    q_rank: int
    groups: int
    output_rank: int
    window: int
    index_heads: int
    index_dim: int
    index_top_k: int
    experts: int
    experts_used: int
    expert_width: int
    hash_layers: int
    route_scale: float
    swiglu_limit: float
    sinkhorn: int
    hc_eps: float
    rms_eps: float
    rope_base: float
    compress_rope_base: float
    yarn_factor: float
    yarn_fast: float
    yarn_slow: float
    yarn_context: int
    streams: int = 4
    vocab: int = 512
    positions: int = 4096

    @property
    def layers(self):
        return len(self.ratios)


# The clamp limits are small enough to act (about one gate in eight), the YaRN ramps lie inside the rotated dims.
SHAPES = {
    "oracle-a": Shape(
        name="oracle-a", seed=41, ratios=(0, 0, 4, 128, 4), width=64, heads=4, head_dim=64, rot_dim=16, q_rank=32,
        groups=2, output_rank=32, window=8, index_heads=4, index_dim=32, index_top_k=3, experts=8, experts_used=2,
        expert_width=32, hash_layers=1, route_scale=1.5, swiglu_limit=1.5, sinkhorn=20, hc_eps=1e-6, rms_eps=1e-6,
        rope_base=10000.0, compress_rope_base=160000.0, yarn_factor=16.0, yarn_fast=32.0, yarn_slow=1.0,
        yarn_context=65536),
    "oracle-b": Shape(
        name="oracle-b", seed=42, ratios=(0, 4, 128, 4, 128, 0), width=128, heads=8, head_dim=128, rot_dim=32,
        q_rank=64, groups=4, output_rank=64, window=16, index_heads=8, index_dim=64, index_top_k=8, experts=16,
        experts_used=4, expert_width=64, hash_layers=2, route_scale=2.5, swiglu_limit=2.0, sinkhorn=7, hc_eps=1e-5,
        rms_eps=1e-5, rope_base=5000.0, compress_rope_base=40000.0, yarn_factor=8.0, yarn_fast=16.0, yarn_slow=2.0,
        yarn_context=512),
}

# Small enough to be committed as a checkpoint for the converter's tests; a few rows and columns exceed an FP8 block.
CHECKPOINTS = {
    **SHAPES,
    "mini": Shape(
        name="mini", seed=43, ratios=(0, 4, 128), width=32, heads=4, head_dim=32, rot_dim=8, q_rank=32, groups=2,
        output_rank=80, window=8, index_heads=4, index_dim=16, index_top_k=3, experts=4, experts_used=2, expert_width=32,
        hash_layers=1, route_scale=1.5, swiglu_limit=10.0, sinkhorn=20, hc_eps=1e-6, rms_eps=1e-6, rope_base=10000.0,
        compress_rope_base=160000.0, yarn_factor=16.0, yarn_fast=32.0, yarn_slow=1.0, yarn_context=65536, streams=2,
        vocab=64),
}


def tensor_dims(shape):
    """(GGUF name, dims in file order) of every tensor of the main model."""
    s, out = shape, []
    cd, mix = s.streams * s.width, (2 + s.streams) * s.streams
    out.append(("token_embd.weight", (s.width, s.vocab)))
    for layer, ratio in enumerate(s.ratios):
        block = [
            ("hc_attn_fn.weight", (cd, mix)), ("hc_attn_scale.weight", (3,)), ("hc_attn_base.weight", (mix,)),
            ("attn_norm.weight", (s.width,)),
            ("attn_q_a.weight", (s.width, s.q_rank)), ("attn_q_a_norm.weight", (s.q_rank,)),
            ("attn_q_b.weight", (s.q_rank, s.heads * s.head_dim)),
            ("attn_kv.weight", (s.width, s.head_dim)), ("attn_kv_a_norm.weight", (s.head_dim,)),
            ("attn_sinks.weight", (s.heads,)),
            ("attn_output_a.weight", (s.heads // s.groups * s.head_dim, s.groups * s.output_rank)),
            ("attn_output_b.weight", (s.groups * s.output_rank, s.width)),
        ]
        if ratio:
            wide = (2 if ratio == 4 else 1) * s.head_dim
            block += [("attn_compressor_ape.weight", (wide, ratio)), ("attn_compressor_kv.weight", (s.width, wide)),
                      ("attn_compressor_gate.weight", (s.width, wide)), ("attn_compressor_norm.weight", (s.head_dim,))]
        if ratio == 4:
            wide = 2 * s.index_dim
            block += [("indexer.attn_q_b.weight", (s.q_rank, s.index_heads * s.index_dim)),
                      ("indexer.proj.weight", (s.width, s.index_heads)),
                      ("indexer_compressor_ape.weight", (wide, 4)), ("indexer_compressor_kv.weight", (s.width, wide)),
                      ("indexer_compressor_gate.weight", (s.width, wide)),
                      ("indexer_compressor_norm.weight", (s.index_dim,))]
        block += [("hc_ffn_fn.weight", (cd, mix)), ("hc_ffn_scale.weight", (3,)), ("hc_ffn_base.weight", (mix,)),
                  ("ffn_norm.weight", (s.width,)), ("ffn_gate_inp.weight", (s.width, s.experts))]
        if layer < s.hash_layers:
            block.append(("ffn_gate_tid2eid.weight", (s.experts_used, s.vocab)))
        else:
            block.append(("exp_probs_b.bias", (s.experts,)))
        block += [("ffn_gate_exps.weight", (s.width, s.expert_width, s.experts)),
                  ("ffn_up_exps.weight", (s.width, s.expert_width, s.experts)),
                  ("ffn_down_exps.weight", (s.expert_width, s.width, s.experts)),
                  ("ffn_gate_shexp.weight", (s.width, s.expert_width)),
                  ("ffn_up_shexp.weight", (s.width, s.expert_width)),
                  ("ffn_down_shexp.weight", (s.expert_width, s.width))]
        out += [(f"blk.{layer}.{name}", dims) for name, dims in block]
    out += [("output_hc_fn.weight", (cd, s.streams)), ("output_hc_base.weight", (s.streams,)),
            ("output_hc_scale.weight", (1,)), ("output_norm.weight", (s.width,)), ("output.weight", (s.width, s.vocab))]
    return out


def value_rule(name, columns):
    """(scale, offset) of a tensor's values, as ds4-make-model has them."""
    suffix = name.split(".", 2)[2] if name.startswith("blk.") else name
    stem = suffix.rsplit(".", 1)[0]
    if stem == "token_embd":
        return 1.0, 0.0
    if stem.endswith("norm"):
        return 0.1, 1.0
    if stem.endswith("_scale"):
        return 0.0, 0.5
    if stem.endswith(("_base", "_ape", "attn_sinks", "exp_probs_b")):
        return 0.1, 0.0
    return float(1.0 / np.sqrt(np.float64(columns))), 0.0


def gguf_tensors(shape):
    """GGUF name -> numpy array (shape: the reverse of the dims); F32, tid2eid I32."""
    out = {}
    for name, dims in tensor_dims(shape):
        rng = CounterRng(shape.seed, name)
        if name.endswith("tid2eid.weight"):
            out[name] = rng.table(shape.vocab, shape.experts_used, shape.experts)
        else:
            out[name] = rng.values(tuple(reversed(dims)), *value_rule(name, dims[0]))
    return out


# GGUF suffix -> official suffix, inside a layer; {stem}_exps are split into one tensor per expert.
LAYER_NAMES = {
    "hc_attn_fn.weight": "hc_attn_fn", "hc_attn_scale.weight": "hc_attn_scale", "hc_attn_base.weight": "hc_attn_base",
    "hc_ffn_fn.weight": "hc_ffn_fn", "hc_ffn_scale.weight": "hc_ffn_scale", "hc_ffn_base.weight": "hc_ffn_base",
    "attn_norm.weight": "attn_norm.weight", "ffn_norm.weight": "ffn_norm.weight",
    "attn_q_a.weight": "attn.wq_a.weight", "attn_q_a_norm.weight": "attn.q_norm.weight",
    "attn_q_b.weight": "attn.wq_b.weight", "attn_kv.weight": "attn.wkv.weight",
    "attn_kv_a_norm.weight": "attn.kv_norm.weight", "attn_sinks.weight": "attn.attn_sink",
    "attn_output_a.weight": "attn.wo_a.weight", "attn_output_b.weight": "attn.wo_b.weight",
    "attn_compressor_ape.weight": "attn.compressor.ape", "attn_compressor_kv.weight": "attn.compressor.wkv.weight",
    "attn_compressor_gate.weight": "attn.compressor.wgate.weight",
    "attn_compressor_norm.weight": "attn.compressor.norm.weight",
    "indexer.attn_q_b.weight": "attn.indexer.wq_b.weight", "indexer.proj.weight": "attn.indexer.weights_proj.weight",
    "indexer_compressor_ape.weight": "attn.indexer.compressor.ape",
    "indexer_compressor_kv.weight": "attn.indexer.compressor.wkv.weight",
    "indexer_compressor_gate.weight": "attn.indexer.compressor.wgate.weight",
    "indexer_compressor_norm.weight": "attn.indexer.compressor.norm.weight",
    "ffn_gate_inp.weight": "ffn.gate.weight", "exp_probs_b.bias": "ffn.gate.bias",
    "ffn_gate_tid2eid.weight": "ffn.gate.tid2eid",
    "ffn_gate_shexp.weight": "ffn.shared_experts.w1.weight", "ffn_up_shexp.weight": "ffn.shared_experts.w3.weight",
    "ffn_down_shexp.weight": "ffn.shared_experts.w2.weight",
}
EXPERT_NAMES = {"ffn_gate_exps.weight": "w1", "ffn_down_exps.weight": "w2", "ffn_up_exps.weight": "w3"}
GLOBAL_NAMES = {"token_embd.weight": "embed.weight", "output_norm.weight": "norm.weight", "output.weight": "head.weight",
                "output_hc_fn.weight": "hc_head_fn", "output_hc_base.weight": "hc_head_base",
                "output_hc_scale.weight": "hc_head_scale"}


def official_tensors(shape):
    """Official checkpoint name -> numpy array, experts one by one."""
    out = {}
    for name, array in gguf_tensors(shape).items():
        if not name.startswith("blk."):
            out[GLOBAL_NAMES[name]] = array
            continue
        _, layer, suffix = name.split(".", 2)
        if suffix in EXPERT_NAMES:
            for e in range(shape.experts):
                out[f"layers.{layer}.ffn.experts.{e}.{EXPERT_NAMES[suffix]}.weight"] = array[e]
        else:
            out[f"layers.{layer}.{LAYER_NAMES[suffix]}"] = array
    return out


def official_config(shape):
    """config.json with the keys of the official release."""
    s = shape
    return {
        "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "torch_dtype": "float32",
        "vocab_size": s.vocab, "hidden_size": s.width, "num_hidden_layers": s.layers,
        "moe_intermediate_size": s.expert_width, "num_attention_heads": s.heads, "num_key_value_heads": 1,
        "head_dim": s.head_dim, "qk_rope_head_dim": s.rot_dim, "q_lora_rank": s.q_rank,
        "o_groups": s.groups, "o_lora_rank": s.output_rank, "sliding_window": s.window,
        "compress_ratios": list(s.ratios) + [0], "compress_rope_theta": s.compress_rope_base,
        "index_n_heads": s.index_heads, "index_head_dim": s.index_dim, "index_topk": s.index_top_k,
        "n_routed_experts": s.experts, "n_shared_experts": 1, "num_experts_per_tok": s.experts_used,
        "num_hash_layers": s.hash_layers, "scoring_func": "sqrtsoftplus", "topk_method": "noaux_tc",
        "norm_topk_prob": True, "routed_scaling_factor": s.route_scale, "swiglu_limit": s.swiglu_limit,
        "hc_mult": s.streams, "hc_sinkhorn_iters": s.sinkhorn, "hc_eps": s.hc_eps, "rms_norm_eps": s.rms_eps,
        "rope_theta": s.rope_base, "max_position_embeddings": s.positions,
        "rope_scaling": {"type": "yarn", "factor": s.yarn_factor, "beta_fast": s.yarn_fast, "beta_slow": s.yarn_slow,
                         "original_max_position_embeddings": s.yarn_context},
        "num_nextn_predict_layers": 1, "hidden_act": "silu", "attention_bias": False, "attention_dropout": 0.0,
        "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1, "initializer_range": 0.02,
    }
