//! Type information.
