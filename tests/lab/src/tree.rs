//! What lies below some directories of a node, to be compared with what lies there later.
//!
//! Names, kinds, modes, owners, links, contents, access lists and other attributes are facts; when a
//! file was last written is kept apart, because giving a file back writes it.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::lifekeeper::succeed;
use crate::node::Node;

/// Prints a line for each fact, and for each file when it was changed, after a `@`.
const SCRIPT: &str = r#"
for directory in "$@"; do
	[ -e "$directory" ] || continue
	find "$directory" -path /var/lib/rpm -prune -o -path /var/lib/systemd -prune \
		-o -path /var/lib/dovecot -prune -o -printf '%p: %y %m %U:%G %l\n' \
		\( -type f -o -type l \) -printf '@%p: written %T@, changed %C@\n'
	find "$directory" -path /var/lib/rpm -prune -o -path /var/lib/systemd -prune \
		-o -path /var/lib/dovecot -prune -o -type f -exec sha256sum {} +
	getfattr --recursive --physical --no-dereference --absolute-names --dump --match=- "$directory"
done
"#;

/// The facts about some directories of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    facts: BTreeSet<String>,
    times: BTreeSet<String>,
}

impl Tree {
    /// Lists the facts that are in one of the trees only: `-` for this one, `+` for the later.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<String> {
        compare(&self.facts, &later.facts)
    }

    /// Lists what was changed or only written anew, as [`Tree::changes`].
    #[must_use]
    pub fn writes(&self, later: &Self) -> Vec<String> {
        [self.changes(later), compare(&self.times, &later.times)].concat()
    }

    /// Understands what the script prints.
    fn parse(text: &str) -> Self {
        let mut tree = Self::default();
        let mut attributes: Vec<&str> = Vec::new();
        for line in text.lines() {
            if let Some(time) = line.strip_prefix('@') {
                tree.times.insert(time.to_owned());
            } else if line.starts_with("# file: ") || !attributes.is_empty() && !line.is_empty() {
                attributes.push(line);
            } else if line.is_empty() {
                tree.facts.insert(attributes.join(" "));
                attributes.clear();
            } else {
                tree.facts.insert(line.to_owned());
            }
        }
        tree
    }
}

fn compare(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    let gone = before.difference(after).map(|line| format!("- {line}"));
    gone.chain(after.difference(before).map(|line| format!("+ {line}"))).collect()
}

impl Node {
    /// Looks at all that lies below these directories; one that is not there has nothing.
    ///
    /// What the system writes of itself is left out: rpm's database, into which even a query
    /// writes, and the state of systemd and of a running Dovecot.
    ///
    /// # Errors
    ///
    /// When the node cannot be looked at.
    pub fn tree(&self, directories: &[&str]) -> Result<Tree> {
        let words = [&["/bin/sh", "-c", SCRIPT, "tree"], directories].concat();
        Ok(Tree::parse(&succeed(self, &words)?.stdout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
/etc/a: f 644 0:0 
@/etc/a: written 1.5, changed 1.5
abc  /etc/a
# file: /etc/a
user.x=\"y\"
user.z=\"1\"

# file: /etc/b
user.x=\"y\"

/opt: d 755 0:0 
";

    #[test]
    fn attributes_belong_to_their_file_and_times_are_kept_apart() {
        let tree = Tree::parse(TEXT);
        let facts: Vec<&str> = tree.facts.iter().map(String::as_str).collect();
        let a = "# file: /etc/a user.x=\"y\" user.z=\"1\"";
        let b = "# file: /etc/b user.x=\"y\"";
        assert_eq!(facts, [a, b, "/etc/a: f 644 0:0 ", "/opt: d 755 0:0 ", "abc  /etc/a"]);
        assert_eq!(tree.times.len(), 1);
    }

    #[test]
    fn a_change_is_told_by_both_sides_and_a_mere_write_only_when_asked_for() {
        let before = Tree::parse(TEXT);
        let written = Tree::parse(&TEXT.replace("1.5", "2.5"));
        assert_eq!(before.changes(&written), [""; 0]);
        assert_eq!(before.writes(&written).len(), 2);
        let changed = Tree::parse(&TEXT.replace("abc", "def"));
        assert_eq!(before.changes(&changed), ["- abc  /etc/a", "+ def  /etc/a"]);
    }
}
