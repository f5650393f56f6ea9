"""The table: what a server may do wrongly, and which requirements of the suite then must fail."""

from __future__ import annotations

from tests.conformance.wrong import (
    of_bytes,
    of_data,
    of_extensions,
    of_inferences,
    of_models,
    of_the_server,
)

TABLE = (
    *of_the_server.MUTATIONS,
    *of_models.MUTATIONS,
    *of_inferences.MUTATIONS,
    *of_data.MUTATIONS,
    *of_bytes.MUTATIONS,
    *of_extensions.MUTATIONS,
)
