/// embed_streams: a token's embedding in every stream; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kEmbedStreams =
    make_entry<ds4_op_embed_streams, check_embed_streams, run_embed_streams, work_embed_streams>(
        DS4_OP_EMBED_STREAMS);

}  // namespace ds4::fast
