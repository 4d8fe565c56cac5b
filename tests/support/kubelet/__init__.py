"""Runs the pods of one namespace as processes of this code: what a kubelet does, without images.

For tests that install the operator and the server as their users do. `agent` is the kubelet: it binds pods, starts and
ends them and reports. Real are arguments, environment, mounted files, tokens of service accounts, probes, restarts and
the order in which a pod ends; and, as root on Linux, user, capabilities, PID 1, the read-only root and the limit of
memory (`container`, and in the child `isolation`). Not real: the image, and the network. An address 0.0.0.0:N becomes
a free port of 127.0.0.1, and names of Services are resolved by an HTTP proxy, which every pod gets by HTTP_PROXY.
"""

from tests.support.kubelet.agent import Kubelet

__all__ = ["Kubelet"]
