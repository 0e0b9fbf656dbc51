//! Shows every program that is started.

rawbpf::include_bpf!("bpf/{{name}}.bpf.o");

fn main() -> rawbpf::Result<()> {
    let loaded = {{module}}::open()?.load()?;
    let _links = loaded.attach()?;
    let mut events = loaded.maps.events.ring()?;
    println!("{:>7} {:>7} {:16} FILE", "PID", "PARENT", "COMMAND");
    loop {
        for event in &events.wait(None)? {
            let event = event?;
            let command = event.command.to_str_lossy();
            let file = event.file.to_str_lossy();
            println!("{:>7} {:>7} {command:16} {file}", event.pid, event.parent);
        }
    }
}
