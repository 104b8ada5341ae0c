"""gRPC: services and streams, and protobuf to events and back."""
