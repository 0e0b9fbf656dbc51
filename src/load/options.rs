//! What a caller may ask of a load besides the plan.

/// How to load a plan; the default is what most need.
#[derive(Debug, Default)]
#[doc(alias = "bpf_object_open_opts")]
pub struct LoadOptions {
    log_level: u32,
}

impl LoadOptions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the verifier for a log of every program, not only of those it refuses: 1 the usual, 2 every state, 4
    /// statistics.
    #[doc(alias = "bpf_program__set_log_level")]
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }

    pub(super) fn level(&self) -> u32 {
        self.log_level
    }
}
