//! Code that tells libbpf where the handles of maps and programs go.

use super::facts::Facts;
use super::literal::string;
use super::shape::line;
use super::writer::Access;
use std::fmt::Write as _;

/// The size of `struct bpf_map_skeleton` in libbpf 1.0.
const RECORD: usize = 24;
/// The same with a pointer to a link, since libbpf 1.5.
const RECORD_WITH_LINK: usize = 32;

/// Fills `s->maps`.
pub(super) fn maps(text: &mut String, facts: &Facts, access: Access) {
    if facts.maps.is_empty() {
        return;
    }
    let is_whole = access == Access::Sections;
    let has_links = is_whole && facts.maps.iter().any(|map| map.link.is_some());
    let size = if has_links { RECORD_WITH_LINK } else { RECORD };
    line!(text, "\n\t/* maps */");
    line!(text, "\ts->map_cnt = {};", facts.maps.len());
    line!(text, "\ts->map_skel_sz = {size};");
    // The header that this is compiled with may have a larger structure than the one it was written for.
    line!(
        text,
        "\ts->maps = (struct bpf_map_skeleton *)calloc(s->map_cnt,\n\
         \t\t\tsizeof(*s->maps) > {size} ? sizeof(*s->maps) : {size});"
    );
    no_memory(text, "s->maps");
    for (index, map) in facts.maps.iter().enumerate() {
        let name = if is_whole {
            &map.name
        } else {
            &map.section_name
        };
        line!(
            text,
            "\n\tmap = (struct bpf_map_skeleton *)((char *)s->maps + {index} * s->map_skel_sz);"
        );
        line!(text, "\tmap->name = {};", string(name));
        line!(text, "\tmap->map = &obj->maps.{};", map.field);
        if !is_whole {
            continue;
        }
        if let Some(section) = map.section.and_then(|index| facts.sections.get(index)) {
            line!(text, "\tmap->mmaped = (void **)&obj->{};", section.field);
        }
        if let Some(link) = &map.link {
            line!(text, "\tmap->link = &obj->links.{link};");
        }
    }
}

/// Fills `s->progs`.
pub(super) fn programs(text: &mut String, facts: &Facts, access: Access) {
    if facts.programs.is_empty() {
        return;
    }
    line!(text, "\n\t/* programs */");
    line!(text, "\ts->prog_cnt = {};", facts.programs.len());
    line!(text, "\ts->prog_skel_sz = sizeof(*s->progs);");
    line!(
        text,
        "\ts->progs = (struct bpf_prog_skeleton *)calloc(s->prog_cnt, s->prog_skel_sz);"
    );
    no_memory(text, "s->progs");
    for (index, program) in facts.programs.iter().enumerate() {
        let record = format!("s->progs[{index}]");
        line!(text, "\n\t{record}.name = {};", string(&program.name));
        line!(text, "\t{record}.prog = &obj->progs.{};", program.field);
        if access == Access::Sections {
            line!(text, "\t{record}.link = &obj->links.{};", program.link);
        }
    }
}

/// Fills `s->vars`.
pub(super) fn variables(text: &mut String, facts: &Facts) {
    let variables = || {
        facts.maps.iter().flat_map(|map| {
            let section = map.section.and_then(|index| facts.sections.get(index));
            let all = section.into_iter().flat_map(|section| {
                let fields = section.variables.iter();
                fields.map(move |variable| (section, variable))
            });
            all.map(move |(section, variable)| (map, section, variable))
        })
    };
    let count = variables().count();
    line!(text, "\n\t/* vars */");
    line!(text, "\ts->var_cnt = {count};");
    line!(
        text,
        "\ts->vars = (struct bpf_var_skeleton *)calloc({count}, sizeof(*s->vars));"
    );
    no_memory(text, "s->vars");
    for (index, (map, section, variable)) in variables().enumerate() {
        let record = format!("s->vars[{index}]");
        line!(text, "\n\t{record}.name = {};", string(&variable.name));
        line!(text, "\t{record}.map = &obj->maps.{};", map.field);
        line!(
            text,
            "\t{record}.addr = (void **)&obj->{}.{};",
            section.field,
            variable.field
        );
    }
}

/// Points to the contents of tables of functions, which can be changed until the object is loaded.
pub(super) fn tables(text: &mut String, facts: &Facts) {
    for table in &facts.tables {
        let field = &table.field;
        line!(
            text,
            "\tobj->struct_ops.{field} = (__typeof__(obj->struct_ops.{field}))\n\
             \t\tbpf_map__initial_value(obj->maps.{field}, NULL);\n"
        );
    }
}

fn no_memory(text: &mut String, what: &str) {
    line!(
        text,
        "\tif (!{what}) {{\n\t\terr = -ENOMEM;\n\t\tgoto err;\n\t}}"
    );
}
