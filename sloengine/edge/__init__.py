"""The device's side of sloengine: a few lines turn an inference loop into OpenTelemetry traces, metrics and logs.

    from sloengine import edge

    node = edge.Node(service="digits", device="eu-1", region="eu", endpoint="http://127.0.0.1:4318")
    model = node.model("digits", version="1")

    with model.inference() as call:
        label, score = predict(image)
        call.score(score, label=label)

    node.close(timeout_s=5)

Names, units and attributes are the contract in docs/telemetry.md. Nothing here raises into the application, waits for
the network, or grows without bound; what the library refuses is counted in `edge.telemetry.dropped`. Importing this
package loads OpenTelemetry and the standard library, nothing else of sloengine.
"""

from .contract import DropReason
from .inference import Call, Model
from .node import Node
from .wire import Exporters

__all__ = ["Call", "DropReason", "Exporters", "Model", "Node"]
