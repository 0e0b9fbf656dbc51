//! Small objects, linked.
