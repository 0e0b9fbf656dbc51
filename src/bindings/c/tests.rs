//! Headers for hostile names.
