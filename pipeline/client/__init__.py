"""The public Python API: a subscriber that never misses a result, and control.

from pipeline.client import Control, Subscription

for result in Subscription("tcp://127.0.0.1:5570", cursor="results.cursor"):
    print(result.trigger_number, result.result_evaluation)
"""

from pipeline.client.control import Control, NoAnswer, RequestRefused, find_control
from pipeline.client.message import Message
from pipeline.client.subscription import Subscription
from pipeline.requests import Gap

__all__ = ["Control", "Gap", "Message", "NoAnswer", "RequestRefused", "Subscription", "find_control"]
