//! What install would change on this node, computed before anything is.

use std::collections::BTreeSet;
use std::path::Path;

use super::block::{self, Entry};
use super::record::{Record, Role};
use super::replace::Original;
use super::resource::{Edge, Resource, is_application};
use super::restart;
use super::step::Step;
use super::take_over;
use crate::boot::links;
use crate::cli::Install;
use crate::dovecot::instance::Instance;
use crate::dovecot::notes::Notes;
use crate::dovecot::{identity, mistake};
use crate::error::{Error, refused};
use crate::files::{PROGRAMS, below, is_program};
use crate::lifekeeper::defaults::{self, key_of};
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::new_resource::{NewResource, Start};
use crate::lifekeeper::resources;
use crate::lifekeeper::state::State;
use crate::lifekeeper::tag::Tag;
use crate::messages::{Message, Remark};
use crate::settings::{self, Settings};
use crate::system::{PROGRAM_DIRECTORIES, System};
use crate::text::excerpt;

/// Noted about the resource in LifeKeeper.
const INFO: &str = "dovecot-ark";

/// The changes in their order, and remarks.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What is odd and no reason to stop.
    pub(super) warnings: Vec<Remark>,
    /// LifeKeeper's defaults file, as the plan was made for it.
    pub(super) file: Original,
    /// The record as it is, if there is one.
    pub(super) noted: Option<Record>,
    /// The record as it will be.
    pub(super) record: Record,
}

/// Makes the plan.
///
/// # Errors
///
/// Whatever stands against installing; nothing has been changed then.
pub(super) fn plan<S: System>(resource: &Resource<'_, S>, what: &Install) -> Result<Plan, Error> {
    let Resource { system, root, lifekeeper, tag } = *resource;
    lifekeeper.require_running(system)?;
    require_programs(system, root)?;
    let file = read_defaults(root)?;
    let (settings, report) = settings::read(root);
    let mut warnings = report.warnings;
    let noted = Record::read(root)?;
    let mut record = noted.clone().unwrap_or_default();
    require_alone(resource, &record)?;
    let mut steps = Vec::new();

    let mut entries = missing(&file.bytes, block::defaults());
    let own = quick_check_entry(system, lifekeeper, what, &file.bytes)?;
    let own_keys: Vec<String> = own.iter().map(|entry| entry.key.clone()).collect();
    entries.extend(own);
    if !entries.is_empty() {
        record.note_entries(&entries);
        let newline = block::lacks_newline(&file.bytes);
        record.settings.ended_last_line |= newline;
        steps.push(Step::Entries { entries, newline });
    }

    let boot = links::look(system, root, &settings.service)?;
    if !boot.is_off() {
        record.note_boot(&boot);
        steps.push(Step::Boot(boot));
    }

    if what.restart
        && let Some(restart) = restart::plan(system, root, &settings.service)?
    {
        record.note_restart(&restart);
        steps.push(Step::Restart(restart));
    }

    let role = if what.standby { Role::Standby } else { Role::Primary };
    record.note_resource(tag, role, &own_keys);
    let (mut found, mut taking) = (None, Vec::new());
    if what.take_over {
        let after = take_over::file_after(&file.bytes, &steps);
        let plan = take_over::plan(resource, what, &after, &mut record, noted.as_ref())?;
        warnings.extend(plan.warnings);
        (found, taking) = (Some(plan.found), plan.steps);
    }
    let found = match found {
        None if what.standby => resource.look()?,
        None => resource.ours()?,
        found => found,
    };
    if found.is_none() {
        // One that was taken over has been deleted since. What is created or extended now is this kit's,
        // and uninstall deletes it; with the note it would get the programs of the other.
        record.note_taken(tag, None);
    }
    if what.standby {
        if !identity::living_masters(system, root)?.is_empty() {
            let text = format!(
                "Dovecot runs on this standby node; stop it: service {} stop",
                settings.service
            );
            warnings.push(Remark::new(Message::StandbyRuns, text));
        }
    } else {
        steps.extend(resource_steps(resource, what, &settings, found.as_ref(), &mut warnings)?);
    }
    steps.extend(taking);
    if let Some(cause) = unreadable(system, root, &settings) {
        let starts = |step: &Step| matches!(step, Step::Create(_, Start::Now));
        let told = format!(
            "{cause}; fix it, and see that Dovecot starts: service {} start",
            settings.service
        );
        if steps.iter().any(starts) {
            return Err(refused!(Message::WouldNotStart, "installing {tag}: {told}"));
        }
        warnings.push(Remark::new(Message::WouldNotStart, told));
    }
    if noted.as_ref() != Some(&record) {
        steps.insert(0, Step::Note);
    }
    Ok(Plan { steps, warnings, file, noted, record })
}

/// The file, which a person may have to mend before install may touch it.
fn read_defaults(root: &Path) -> Result<Original, Error> {
    let path = root.join(defaults::FILE);
    let file = Original::read(&path)?;
    if let Some(at) = file.bytes.split(|byte| *byte == b'\n').position(|line| line.ends_with(b"\r"))
    {
        return Err(Error::file("reading", &path)(format!(
            "line {} ends in a carriage return, which a shell takes for a part of the value; take \
             them out: sed -i 's/\\r$//' {}",
            at + 1,
            path.display()
        )));
    }
    Ok(file)
}

/// Makes sure that no other resource protects this node's Dovecot: with two, the remove of one
/// stops the Dovecot of the other. The record is the ground; a resource without one is known by its
/// copies. Where the tag is in the record nobody is asked: an older kit may have noted two, and each
/// of them can still be installed again and uninstalled.
fn require_alone<S: System>(resource: &Resource<'_, S>, record: &Record) -> Result<(), Error> {
    let tag = resource.tag;
    if record.has(tag) {
        return Ok(());
    }
    let mut others = record.tags();
    if others.is_empty() {
        others = resource.others()?;
    }
    let Some(other) = others.first().map(|other| excerpt(other)) else { return Ok(()) };
    Err(refused!(
        Message::Protected,
        "installing {tag}: {other} already protects this node's Dovecot; a node has one Dovecot for \
         the kit: uninstall it first with dovecot-ark uninstall --tag {other}"
    ))
}

/// Makes sure that no other node has the resource: LifeKeeper would take the new one for a different
/// resource, and both would run Dovecot. Returns what could not be found out, and who serves as a
/// resource of the kit with another tag.
///
/// A wrong yes hurts the users, whose mail two Dovecots damage; a wrong no hurts an operator, who must
/// uninstall on the other node first. Nevertheless a node that cannot be asked does not block: the first
/// node of a cluster is often installed while the second one is off, and only a person can know. Nor
/// does another tag: each node may serve mail of its own.
fn require_nowhere_else<S: System>(resource: &Resource<'_, S>) -> Result<Vec<Remark>, Error> {
    let Resource { system, lifekeeper, tag, .. } = *resource;
    let is_same = |one: &resources::Instance| one.tag == tag.as_str();
    let is_meant = |one: &resources::Instance| {
        is_same(one) || (one.info == INFO && is_application(one) && one.state.is_in_service())
    };
    let unknown = |who: &str, cause: &str| {
        let text = format!(
            "whether {who} has the resource {tag} is not known: {cause}; if it has, uninstall here, \
             and extend the resource from there"
        );
        Remark::new(Message::NodeNotAsked, text)
    };
    let elsewhere = match lifekeeper.elsewhere(system, is_meant) {
        Ok(elsewhere) => elsewhere,
        Err(cause) => return Ok(vec![unknown("another node", &cause.to_string())]),
    };
    if let Some((node, found)) = elsewhere.found.iter().find(|(_, found)| is_same(found)) {
        return Err(refused!(
            Message::OnOtherNode,
            "installing {tag}: {node} has the resource {tag} ({}), and a second one would start a \
             second Dovecot; run dovecot-ark install --standby here, and extend {tag} from {node}",
            found.state
        ));
    }
    let other = elsewhere.found.iter().map(|(node, found)| {
        let text = format!(
            "{node} has Dovecot in service as the resource {}: the two must not serve the same mail",
            excerpt(&found.tag)
        );
        Remark::new(Message::OtherTagThere, text)
    });
    let silent = elsewhere.unknown.iter().map(|(node, cause)| unknown(node, cause));
    Ok(other.chain(silent).collect())
}

/// Makes sure that Dovecot and the kit's own programs are here.
fn require_programs(system: &impl System, root: &Path) -> Result<(), Error> {
    if system.program("dovecot").is_none() {
        let directories = PROGRAM_DIRECTORIES.join(", ");
        return Err(refused!(
            Message::NoDovecot,
            "looking for Dovecot: no program dovecot is in {directories}"
        ));
    }
    for action in ["restore", "remove", "quickCheck", "recover"] {
        let path = below(root, Path::new(PROGRAMS)).join(action);
        let data = std::fs::metadata(&path).map_err(Error::file("looking for", &path))?;
        if !is_program(&data) {
            let cause = "it is no program; install the package again";
            return Err(Error::file("looking for", &path)(cause));
        }
    }
    Ok(())
}

/// Why Dovecot cannot start, as restore would find it, if that is certain. A resource that is brought
/// into service is refused then: a wrong yes costs a person a look and a start by hand, which makes the
/// keys that some units make at their first start; a wrong no creates a resource that fails, and that is
/// undone. Where nothing is started it is a warning: what the file names may lie on a file system that
/// is in service elsewhere. What cannot be told is left to restore.
fn unreadable(system: &impl System, root: &Path, settings: &Settings) -> Option<String> {
    let notes = Notes::read(system, root);
    let instance = Instance::find(system, root, &settings.service, &notes);
    let broken = || mistake::look(system, &instance).mistake();
    instance
        .missing(system)
        .or_else(|| broken().map(|it| format!("Dovecot's configuration is broken: {it}")))
}

/// The entries whose keys the file does not set.
fn missing(file: &[u8], entries: Vec<Entry>) -> Vec<Entry> {
    let set: Vec<String> = file.split(|byte| *byte == b'\n').filter_map(key_of).collect();
    entries.into_iter().filter(|entry| !set.contains(&entry.key)).collect()
}

/// The entry for the longest quickCheck, if one is asked for and not there yet.
fn quick_check_entry(
    system: &impl System,
    lifekeeper: &LifeKeeper,
    what: &Install,
    file: &[u8],
) -> Result<Option<Entry>, Error> {
    let Some(seconds) = what.quickcheck_timeout else { return Ok(None) };
    let tag = what.tag.converted();
    let version = lifekeeper.version(system).map_err(|cause| {
        let [old, new] = crate::lifekeeper::installation::quick_check_keys(&tag);
        refused!(
            Message::QuickCheckKey,
            "choosing the key for --quickcheck-timeout: {cause}; set it by hand: {old}={seconds} \
             up to LifeKeeper 9.0.2, {new}={seconds} from 9.1.0 on"
        )
    })?;
    let key = version.quick_check_key(&tag);
    let text = format!(
        "# {key}: seconds that LifeKeeper grants quickCheck of {}, which needs up to 18; default \
         {}\n{key}={seconds}\n",
        what.tag,
        version.quick_check_default().map_or("none".to_owned(), |seconds| seconds.to_string())
    );
    let line = file.split(|byte| *byte == b'\n').rfind(|line| key_of(line).as_ref() == Some(&key));
    match line.map(String::from_utf8_lossy) {
        None => Ok(Some(Entry { key, text })),
        Some(line) if line.trim() == format!("{key}={seconds}") => Ok(None),
        Some(line) => Err(refused!(
            Message::QuickCheckSet,
            "setting {key} to {seconds}: /{} has {:?} already; change it there",
            defaults::FILE,
            line.trim()
        )),
    }
}

/// The steps that concern the resource itself.
fn resource_steps<S: System>(
    resource: &Resource<'_, S>,
    what: &Install,
    settings: &Settings,
    found: Option<&resources::Instance>,
    warnings: &mut Vec<Remark>,
) -> Result<Vec<Step>, Error> {
    let Resource { system, lifekeeper, tag, .. } = *resource;
    for child in &what.depends_on {
        if child == tag {
            return Err(refused!(Message::Dependency, "making {tag} depend on itself: it cannot"));
        }
        if lifekeeper.instance(system, None, child.as_str())?.is_none() {
            return Err(refused!(
                Message::Dependency,
                "making {tag} depend on {child}: LifeKeeper has no such resource"
            ));
        }
    }
    let mut steps = Vec::new();
    let start = if what.no_start { Start::Later } else { Start::Now };
    match found {
        Some(found) if found.state == State::Isp => {}
        Some(found) => warnings.push(Remark::new(
            Message::NotInService,
            format!("{tag} is {} on this node", found.state),
        )),
        None => {
            warnings.extend(require_nowhere_else(resource)?);
            let node = lifekeeper.node(system)?;
            let switchback = what.switchback;
            let wanted = NewResource { tag, programs: PROGRAMS, info: INFO, switchback, start };
            let command = lifekeeper
                .creation(system, &node, &wanted, settings.create.as_ref())
                .map_err(|reasons| {
                    Error::refused(Message::NoCreation, by_hand(&node, &wanted, &reasons))
                })?;
            steps.push(Step::Create(command, start));
        }
    }
    let has = match found {
        Some(_) => lifekeeper.children(system, None, tag.as_str())?,
        None => Vec::new(),
    };
    let children: BTreeSet<&Tag> = what.depends_on.iter().collect();
    for child in children.iter().filter(|child| !has.iter().any(|has| has == child.as_str())) {
        let (parent, child) = (tag.to_string(), child.to_string());
        steps.push(Step::Depend(Edge { there: None, parent, child }));
    }
    steps.extend(dependencies_elsewhere(resource, &children)?);
    Ok(steps)
}

/// The dependencies that are missing where the resource was extended to already: LifeKeeper keeps
/// them on each system.
fn dependencies_elsewhere<S: System>(
    resource: &Resource<'_, S>,
    children: &BTreeSet<&Tag>,
) -> Result<Vec<Step>, Error> {
    let Resource { system, lifekeeper, tag, .. } = *resource;
    let mut steps = Vec::new();
    if children.is_empty() {
        return Ok(steps);
    }
    for parent in lifekeeper.equivalents(system, tag)? {
        if !lifekeeper.is_alive(system, &parent.system) {
            continue;
        }
        let has = lifekeeper.children(system, Some(&parent.system), &parent.tag)?;
        for child in children {
            let there = lifekeeper.equivalents(system, child)?;
            if let Some(child) = there.into_iter().find(|child| child.system == parent.system)
                && !has.contains(&child.tag)
            {
                let there = Some(child.system);
                let edge = Edge { there, parent: parent.tag.clone(), child: child.tag };
                steps.push(Step::Depend(edge));
            }
        }
    }
    Ok(steps)
}

/// What a person types where no command can be made.
fn by_hand(node: &str, wanted: &NewResource<'_>, reasons: &[String]) -> String {
    let rows = [
        ("Server", node.to_owned()),
        ("Restore script", wanted.program("restore")),
        ("Remove script", wanted.program("remove")),
        ("quickCheck script", wanted.program("quickCheck")),
        ("Recovery script", wanted.program("recover")),
        ("Application info", wanted.info.to_owned()),
        ("Switchback type", wanted.switchback.word().to_owned()),
        (
            "Bring resource in service",
            if wanted.start == Start::Now { "Yes" } else { "No" }.to_owned(),
        ),
        ("Resource tag", wanted.tag.to_string()),
    ];
    let rows = rows.map(|(what, value)| format!("  {what:26} {value}")).join("\n");
    format!(
        "creating the resource {}: no command of this LifeKeeper is known to do it: {}\nNothing \
         has been changed. Create it in LifeKeeper's graphical interface as a Generic Application \
         with these values, then run the same command again for the rest; or set \
         APP_DOVECOT_CREATE to the command.\n{rows}",
        wanted.tag,
        reasons.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::install::record;
    use crate::install::tests::{node, wanted};
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    fn planned(root: &TestRoot, machine: &Machine, what: &Install) -> Result<Vec<String>, String> {
        let lifekeeper = LifeKeeper::find(root.path()).expect("LifeKeeper");
        let (root, tag) = (root.path(), &what.tag);
        let resource = Resource { system: machine, root, lifekeeper: &lifekeeper, tag };
        let plan = plan(&resource, what).map_err(|cause| cause.to_string())?;
        Ok(plan.steps.iter().map(|step| step.deed().to_string()).collect())
    }

    #[test]
    fn the_steps_are_noted_first_and_the_resource_comes_last() {
        let (root, machine) = node();
        let link = root.path().join("etc/rc2.d/S01dovecot");
        std::fs::create_dir_all(link.parent().expect("a directory")).expect("making it");
        std::os::unix::fs::symlink("../init.d/dovecot", &link).expect("a link");
        let steps = planned(&root, &machine, &wanted()).expect("a plan");
        let begins = [
            "noting the changes in /var/lib/dovecot-ark/install.toml",
            "adding to /etc/default/LifeKeeper: APP_DOVECOT_",
            "disabling the start at boot: /etc/rc2.d/S01dovecot",
            "creating the resource: creapphier node1 ",
        ];
        let fits = steps.iter().zip(begins).all(|(step, begin)| step.starts_with(begin));
        assert!(fits && steps.len() == begins.len(), "{steps:#?}");
        let standby = Install { standby: true, ..wanted() };
        assert_eq!(planned(&root, &machine, &standby).expect("a plan"), steps[..3]);
        assert!(!root.path().join(record::FILE).exists(), "nothing is changed");
    }

    #[test]
    fn what_stands_against_it_is_named_before_anything_is_changed() {
        let (root, machine) = node();
        let second = Install { tag: Tag::parse("mail2").expect("a tag"), ..wanted() };
        let mut record = Record::default();
        record.note_resource(&wanted().tag, Role::Primary, &[]);
        record.save(root.path()).expect("the record of the first");
        let error = planned(&root, &machine, &second).expect_err("a second tag");
        assert!(error.contains("dovecot already protects this node's Dovecot"), "{error}");

        let itself = Install { depends_on: vec![wanted().tag], ..wanted() };
        let error = planned(&root, &machine, &itself).expect_err("a circle");
        assert_eq!(error, "making dovecot depend on itself: it cannot");

        std::fs::remove_file(root.path().join("usr/lib/dovecot-ark/recover")).expect("removing");
        let error = planned(&root, &machine, &wanted()).expect_err("a program is missing");
        assert!(error.contains("/usr/lib/dovecot-ark/recover: No such file"), "{error}");

        let (root, machine) = node();
        root.write(defaults::FILE, "A=1\nB=2\r\n");
        let error = planned(&root, &machine, &wanted()).expect_err("a file of another system");
        assert!(error.contains("line 2 ends in a carriage return"), "{error}");
        machine.state().programs.retain(|program| *program != "dovecot");
        let error = planned(&root, &machine, &wanted()).expect_err("no Dovecot");
        assert!(error.contains("no program dovecot is in /"), "{error}");
    }

    #[test]
    fn a_node_is_refused_while_another_has_the_resource_and_one_that_cannot_be_asked_is_named() {
        let listed = |info, tag, state| {
            let line = ["node2", "gen", "app", tag, "id", info, state, "", "\n"].join("\u{1}");
            (0, line)
        };
        let (ours, nothing, broken) = (INFO, (0, String::new()), (1, "x".to_owned()));
        let both = [listed(ours, "mail", "ISP").1, listed(ours, "dovecot", "OSU").1].concat();
        let warning = "whether node2 has the resource dovecot is not known: ";
        for (alive, (status, list), refusal, warned) in [
            ("ALIVE", listed("", "dovecot", "ISP"), "node2 has the resource dovecot (ISP)", ""),
            ("ALIVE", listed(ours, "dovecot", "OSU"), "node2 has the resource dovecot (OSU)", ""),
            (
                "ALIVE",
                listed(ours, "mail", "ISP"),
                "",
                "node2 has Dovecot in service as the resource mail",
            ),
            ("ALIVE", (0, both), "node2 has the resource dovecot (OSU)", ""),
            ("ALIVE", listed(ours, "mail", "OSU"), "", ""),
            ("ALIVE", listed("", "www", "ISP"), "", ""),
            ("ALIVE", nothing.clone(), "", ""),
            ("ALIVE", broken, "", warning),
            ("DEAD", listed(ours, "dovecot", "ISP"), "", warning),
        ] {
            let (root, machine) = node();
            for (line, status, answer) in [
                ("sys_list", 0, "node1\nnode2\n"),
                ("sys_getst -s node2", 0, alive),
                ("ins_list -d node2", status, &list),
            ] {
                let (end, took) = (crate::command::End::Exited(status), Duration::from_millis(5));
                machine.answer(line, end, took, answer);
            }
            let case = format!("{alive} {list:?}");
            let said = |what: &Install| {
                let lifekeeper = LifeKeeper::find(root.path()).expect("LifeKeeper");
                let (root, tag) = (root.path(), &what.tag);
                let resource = Resource { system: &machine, root, lifekeeper: &lifekeeper, tag };
                let plan = plan(&resource, what).map_err(|cause| cause.to_string())?;
                Ok::<_, String>(Remark::texts(&plan.warnings).concat())
            };
            match said(&wanted()) {
                Ok(told) => {
                    assert!(refusal.is_empty() && told.starts_with(warned), "{case}: {told}");
                }
                Err(refused) => {
                    assert!(!refusal.is_empty() && refused.contains(refusal), "{case}: {refused}");
                    assert!(refused.contains("install --standby here"), "{case}: {refused}");
                }
            }
            let standby = said(&Install { standby: true, ..wanted() }).expect("a standby");
            assert_eq!(standby, "", "{case}: a standby creates nothing");
        }
    }

    #[test]
    fn a_broken_configuration_is_refused_before_anything_is_created_and_named_where_nothing_starts()
    {
        let (root, machine) = node();
        let said = "doveconf: Fatal: Error in configuration file /etc/dovecot/local.conf line 3: x";
        machine.state().programs.push("doveconf");
        let (end, line) = (crate::command::End::Exited(89), "doveconf -nx");
        machine.complain(line, end, said);
        let start = Install { no_start: false, ..wanted() };
        let error = planned(&root, &machine, &start).expect_err("it cannot start");
        let begin = "installing dovecot: Dovecot's configuration is broken: Error in configuration";
        assert!(error.starts_with(begin) && error.contains("local.conf line 3: x; fix"), "{error}");
        for what in [wanted(), Install { standby: true, ..wanted() }] {
            let lifekeeper = LifeKeeper::find(root.path()).expect("LifeKeeper");
            let (root, tag) = (root.path(), &what.tag);
            let resource = Resource { system: &machine, root, lifekeeper: &lifekeeper, tag };
            let plan = plan(&resource, &what).expect("a plan");
            let told = Remark::texts(&plan.warnings).concat();
            assert!(told.contains("local.conf line 3"), "{told}");
        }
    }
}
