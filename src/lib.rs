//! Loads eBPF objects.
