"""Identity models for MLServer: a custom runtime, as its documentation writes one.

It runs in MLServer's own environment. What MLServer leaves to a runtime (inputs by their names, the
outputs that are asked for) is done here as the protocol says; decoding and encoding are its own.
"""

from __future__ import annotations

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse


class Identity(MLModel):
    """Answers its inputs."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Give each output the input of its place, as the model's settings list them."""
        given = {item.name: item for item in payload.inputs}
        wanted = {item.name for item in payload.outputs or ()}
        known = {spec.name for spec in self.outputs}
        for name in wanted - known:
            raise InferenceError(f"there is no output {name}")
        outputs = []
        for taken, spec in zip(self.inputs, self.outputs, strict=True):
            if taken.name not in given:
                raise InferenceError(f"the input {taken.name} is missing")
            if not wanted or spec.name in wanted:
                array = self.decode(given[taken.name], default_codec=NumpyCodec)
                outputs.append(NumpyCodec.encode_output(spec.name, array))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
