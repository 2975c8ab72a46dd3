/// quant_round_trip: what is left of a vector after the model's own rounding; contract in
/// ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kQuantRoundTrip =
    make_entry<ds4_op_quant_round_trip, check_quant_round_trip, run_quant_round_trip,
               work_quant_round_trip>(DS4_OP_QUANT_ROUND_TRIP);

}  // namespace ds4::fast
