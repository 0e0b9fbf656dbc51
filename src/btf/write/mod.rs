//! Type information as it is to become: edited, and fitted to kernels that know less.

pub(super) mod edit;
mod sanitize;
