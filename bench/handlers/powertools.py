"""The same handler on the Powertools that Coldpress uses: resolver, logger and metrics."""

import base64
import os

import numpy as np
import onnxruntime
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.metrics import EphemeralMetrics

SESSION = onnxruntime.InferenceSession(os.environ["MODEL_FILE"], providers=["CPUExecutionProvider"])
logger, app = Logger(), APIGatewayHttpResolver()
metrics = EphemeralMetrics(namespace="bench", service="bench")


@app.post("/predict")
def predict():  # type: ignore[no-untyped-def]
    """Answer with the most probable class and its score."""
    body = base64.b64decode(app.current_event.body or "")
    both = (body[:4096].lstrip()[:1024], body[-4096:].rstrip()[-1024:])
    padded = both[0].ljust(1024, b"\0") + both[1].rjust(1024, b"\0")
    tokens = np.frombuffer(padded, np.uint8).astype(np.int32)[None]
    scores = SESSION.run(None, {"bytes": tokens})[0][0]
    return {"class": int(scores.argmax()), "score": float(scores.max())}


def handler(event, context):  # type: ignore[no-untyped-def]
    """Resolve the event."""
    return app.resolve(event, context)
