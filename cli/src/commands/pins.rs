//! Where an object's maps are pinned, if they are pinned by name.

use crate::show::outlet::say;
use crate::stop::Stop;
use rawbpf::Result;
use rawbpf::mounts::OwnBpffs;
use rawbpf::open::OpenObject;
use rawbpf::reloc::Pinning;

/// If no BPF file system is mounted, maps are pinned in a private one of this run. Nobody else needs it, since the command
/// removes the pins that it made. It must live as long as the object.
pub(crate) fn in_own_mount(object: &mut OpenObject, stop: &Stop) -> Result<Option<OwnBpffs>> {
    let mut maps = object.maps().iter();
    if !maps.any(|map| map.pinning() == Pinning::ByName) {
        return Ok(None);
    }
    let own = OwnBpffs::unless_mounted();
    let own = own.map_err(|error| match object.path() {
        Some(path) => error.context(format!("object {}", path.display())),
        None => error,
    })?;
    if let Some(own) = &own {
        object.set_pin_root_path(own.path());
        say(
            stop,
            format_args!(
                "rawbpf: no BPF file system is mounted at /sys/fs/bpf: only this run sees the pinned maps"
            ),
        );
    }
    Ok(own)
}
