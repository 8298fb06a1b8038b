//! The numbers of all warnings and errors: of the log, and of install, doctor and status.
//!
//! A number stays with its meaning whatever becomes of the words, so that a monitoring system, a
//! ticket and the page dovecot-ark-messages(7) go on agreeing. It has four digits: the six-digit ones
//! are LifeKeeper's own. A number that is out of use is never given to another message.
//!
//! What may be logged as a warning or an error takes a [`Message`]: the macros `warning` and `error`,
//! `Error::message`, and the findings of doctor. Lines that only inform have none.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the messages with their numbers and meanings.
macro_rules! table {
    ($($name:ident = $number:literal: $meaning:literal,)*) => {
        /// A warning or an error that has a number.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Message {
            $(#[doc = $meaning] $name = $number,)*
        }

        impl Message {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number as it is printed, such as `ARK1101`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("ARK", $number),)*
                }
            }
        }
    };
}

table! {
    // The program itself.
    NotRoot = 1001: "Somebody other than root asked for it.",
    ProcessTable = 1002: "The process table does not show this program.",
    Output = 1003: "Standard output could not be written.",
    File = 1004: "A file or directory could not be dealt with.",
    Command = 1005: "A command failed.",
    Answer = 1006: "The answer of a command is not understood.",
    Internal = 1007: "The kit has a defect.",
    NoLogFile = 1008: "The log file cannot be opened.",

    // The checks.
    Fault = 1101: "A fault: Dovecot is not in operation.",
    Blind = 1102: "A fault: the processes cannot be seen.",
    Degraded = 1103: "In operation, and something needs attention.",
    Excused = 1104: "Not in operation, and excused.",
    GaveUp = 1105: "The action gave up at its limit.",
    Unwatched = 1106: "Nothing watches over quickCheck's end.",
    WritableProgram = 1107: "Others than root may write the master's program.",
    CheckedBesides = 1108: "The check was made although an action holds the lock.",
    NoStatus = 1109: "The status command did not answer.",
    SeveralMasters = 1110: "More than one master runs.",
    Traced = 1111: "A debugger holds the master.",
    Saturated = 1112: "All processes of a service are in use.",
    Certificate = 1113: "A certificate has ended or soon will.",
    NotChecked = 1114: "The check of a port could not be made.",
    Login = 1115: "The look at a mailbox failed and is no fault.",
    NoNextStart = 1116: "Dovecot serves, and could not start again.",

    // restore.
    NotStarted = 1201: "Dovecot did not come into operation.",
    Full = 1202: "A file system is full.",
    Configuration = 1203: "Dovecot's configuration is broken.",
    NotInstalled = 1204: "Dovecot is not installed.",
    NoAddress = 1205: "This node lacks an address on which Dovecot is to listen.",
    PortTaken = 1206: "Another program has a port of Dovecot's.",
    Round = 1207: "A round did not bring Dovecot into operation.",
    LeftBehind = 1208: "An earlier Dovecot left processes behind.",
    EmptyUnit = 1209: "The unit is active without a process.",
    ConfigurationUnknown = 1210: "Whether the configuration is readable is not known.",
    PidFile = 1211: "A wrong pid file could not be removed.",
    ServiceCommand = 1212: "A service command failed.",
    NoServiceCommand = 1213: "There is no service command.",
    LeftCommand = 1214: "A command of a killed action still ran.",

    // remove.
    StillRunning = 1301: "Something outlived SIGKILL.",
    StartedAgain = 1302: "Another program keeps starting Dovecot.",
    StillStarting = 1303: "systemd is going to start Dovecot again.",
    OtherUnit = 1304: "A master belongs to another unit.",
    OutlivedStop = 1305: "The master outlived a stop command.",
    ServiceUnknown = 1306: "The state of the service is not known.",
    Signals = 1307: "The stop command left processes, which get signals.",
    UnitAtWork = 1308: "No process is left, and the unit is not inactive.",
    Resumed = 1309: "A stopped process is resumed.",
    NotProven = 1310: "Something still runs that may not be Dovecot's.",
    Thawed = 1311: "A frozen control group was thawed.",
    NotThawed = 1312: "A frozen control group could not be thawed.",

    // recover.
    ShuttingDown = 1401: "Nothing is changed while the node shuts down.",
    LeftRunning = 1402: "Dovecot was left running because it could not start again.",

    // Locks and notes.
    LockAbove = 1501: "The directory above is locked instead.",
    NoLock = 1502: "The action goes on without a lock.",
    UnknownHolder = 1503: "An unknown process holds the lock.",
    HolderTerminated = 1504: "The action that held the lock was terminated.",
    Note = 1505: "A note could not be read or written.",

    // The settings.
    NoSettings = 2001: "The file of the settings cannot be read.",
    UnknownKey = 2002: "No parameter has this name.",
    Line = 2003: "A line of the file is not understood.",
    LargeFile = 2004: "The file of the settings is too large.",
    MoreWarnings = 2005: "More warnings of this kind are not told.",
    Value = 2006: "A value is not understood.",
    Entry = 2007: "An entry of the list is not understood.",
    MoreEntries = 2008: "More entries are left out.",
    NoEntry = 2009: "No entry of the list is left.",
    Parameter = 2010: "A parameter of the resource agent is not understood.",

    // install and uninstall.
    NoLifeKeeper = 3001: "LifeKeeper is not there.",
    LifeKeeperDown = 3002: "LifeKeeper does not run.",
    OtherRun = 3003: "Another install or uninstall runs.",
    KilledRun = 3004: "An earlier install or uninstall was killed.",
    NotUndone = 3005: "Undoing a step failed.",
    Protected = 3006: "Another resource protects this Dovecot.",
    NoDovecot = 3007: "There is no program dovecot.",
    WouldNotStart = 3008: "Dovecot would not start.",
    StandbyRuns = 3009: "Dovecot runs on a node that is to stand by.",
    NotInService = 3010: "The resource is not in service.",
    Dependency = 3011: "It cannot depend on that.",
    QuickCheckKey = 3012: "The key for the time of quickCheck is not known.",
    QuickCheckSet = 3013: "The key for the time of quickCheck is set already.",
    NoCreation = 3014: "No command can create the resource.",
    ForeignResource = 3015: "LifeKeeper has another resource of that tag.",
    CreatedMeanwhile = 3016: "Somebody else created the resource meanwhile.",
    NotCreated = 3017: "The resource is not as it should be after its creation.",
    NotOutOfService = 3018: "The resource cannot be taken out of service.",
    DependencyNotShown = 3019: "LifeKeeper does not show the dependency.",
    NotDeleted = 3020: "The resource is still there.",
    NotTakenOut = 3021: "The resource cannot be taken out of LifeKeeper.",
    BootNotDisabled = 3022: "The start at boot could not be disabled.",
    ChangedMeanwhile = 3023: "What there is to do has changed since the question.",
    NobodyToAsk = 3024: "Nobody can be asked.",
    NotConfirmed = 3025: "It was not confirmed.",
    LeftElsewhere = 3026: "The resource is still there on another node.",
    BootSetSince = 3027: "Somebody has set the start at boot since.",
    NotTakenOver = 3028: "The resource cannot be taken over.",
    TakenForFault = 3029: "This kit would call the Dovecot that is to be taken over a fault.",
    OtherNode = 3030: "Another node could not do its part.",
    StillActing = 3031: "An action of the resource does not end.",
    NewCheckFails = 3032: "The new quickCheck fails.",
    NotMarked = 3033: "The state of the resource could not be set.",
    LeftMarked = 3034: "A run that was killed left the resource marked OSU.",
    NotGivenBack = 3035: "The resource cannot be given back.",
    LeftTaken = 3036: "The resource is not given back on another node.",
    AccountExists = 3037: "The login check has an account already.",
    AccountNotKept = 3038: "The login check's account cannot be kept.",
    NoRestart = 3039: "systemd cannot be let restart Dovecot.",
    OnOtherNode = 3040: "Another node has the resource.",
    NodeNotAsked = 3041: "Whether another node has the resource is not known.",
    OtherTagThere = 3042: "Another node has Dovecot in service as a resource of another tag.",
    Interrupted = 3043: "The run was interrupted.",

    // doctor: what is installed, and the checks.
    DoctorLifeKeeperVersion = 4001: "LifeKeeper's version is not known.",
    DoctorLicence = 4002: "LifeKeeper has no licence file.",
    DoctorNoDovecot = 4003: "Dovecot's version cannot be had.",
    DoctorUntried = 4004: "Dovecot's version was never tried.",
    DoctorDegraded = 4005: "The checks say degraded.",
    DoctorActing = 4006: "An action is running.",
    DoctorStopped = 4007: "The checks say stopped.",
    DoctorFailed = 4008: "The checks say failed.",
    DoctorUnknown = 4009: "The checks say unknown.",
    DoctorActionFailed = 4010: "The last action failed.",
    DoctorActionKilled = 4011: "The last action was killed.",
    DoctorOwnFiles = 4012: "The kit cannot use a file or directory of its own.",

    // doctor: Dovecot's configuration and certificates.
    DoctorBroken = 4101: "The configuration is broken.",
    DoctorBrokenUnknown = 4102: "Whether the configuration is readable is not known.",
    DoctorListenerUnknown = 4103: "Where Dovecot is to listen is not known.",
    DoctorNoListener = 4104: "Dovecot has no listener on a port.",
    DoctorListensElsewhere = 4105: "Dovecot listens at other addresses.",
    DoctorCertificateUnread = 4106: "A certificate cannot be read.",
    DoctorNoCertificate = 4107: "A file is no certificate.",
    DoctorCertificateEnds = 4108: "A certificate has ended or soon will.",
    DoctorOtherKey = 4109: "A key does not belong to its certificate.",
    DoctorNoKey = 4110: "A file is no key.",
    DoctorKeyUnread = 4111: "A key cannot be read.",
    DoctorUnwritable = 4112: "Dovecot cannot write its files.",
    DoctorMisunderstood = 4113: "An entry asks a port for what Dovecot does not do there.",
    DoctorListenAddress = 4114: "Dovecot is to listen at an address that the node lacks.",
    DoctorNoAccount = 4115: "The login check has no account.",
    DoctorAccountRefused = 4116: "Dovecot refuses the login check's account.",
    DoctorAccountUnknown = 4117: "Whether Dovecot accepts the account is not known.",
    DoctorAccountBanned = 4118: "fail2ban counts the login check's address.",
    DoctorAccountDelayed = 4119: "Dovecot delays the login check with others.",

    // doctor: who starts Dovecot.
    DoctorUnitUnknown = 4201: "systemd does not report the service.",
    DoctorOrder = 4202: "systemd stops Dovecot before LifeKeeper.",
    DoctorNoCommand = 4203: "There is no service command.",
    DoctorMasked = 4204: "The unit is masked.",
    DoctorNoUnit = 4205: "systemd has no usable unit.",
    DoctorNoScript = 4206: "There is no init script.",
    DoctorEnabled = 4207: "The unit starts at boot.",
    DoctorBootLinks = 4208: "The init script runs at boot.",
    DoctorStateUnknown = 4209: "systemd does not report the state of the unit.",
    DoctorTriggered = 4210: "An active unit starts Dovecot.",
    DoctorUpheld = 4211: "A unit upholds Dovecot's.",
    DoctorRestart = 4212: "systemd restarts Dovecot.",
    DoctorKillMode = 4213: "The unit has `KillMode=none`.",
    DoctorSupervisor = 4214: "Another supervisor knows of Dovecot.",
    DoctorStarter = 4215: "A file starts or restarts Dovecot.",
    DoctorPulledIn = 4216: "The start of other units starts Dovecot.",
    DoctorOwnRestart = 4217: "systemd does not restart Dovecot as install has set it.",

    // doctor: settings and times.
    DoctorSetting = 4301: "A setting is not understood.",
    DoctorNoSeconds = 4302: "A time is no number of seconds.",
    DoctorUnreadKey = 4303: "LifeKeeper does not read a key that is set.",
    DoctorShortChecks = 4304: "LifeKeeper ends the checks too early.",
    DoctorShortQuickCheck = 4305: "LifeKeeper ends quickCheck before its own end.",
    DoctorShortSwitchover = 4306: "LifeKeeper gives up a switchover too early.",

    // doctor: addresses, ports, masters, tags.
    DoctorAddressesUnknown = 4401: "The addresses cannot be listed.",
    DoctorNoAddress = 4402: "An address is not on this node.",
    DoctorPortsUnknown = 4403: "Who listens is not known.",
    DoctorPortLeft = 4404: "An earlier Dovecot's process has a port.",
    DoctorPortTaken = 4405: "Another program has a port, and Dovecot does not run.",
    DoctorNobodyListens = 4406: "Nothing listens at an entry.",
    DoctorForeignPort = 4407: "Another program has a port beside Dovecot.",
    DoctorSeveralMasters = 4408: "More than one master runs.",
    DoctorOnlyStranger = 4409: "The only master belongs to another unit.",
    DoctorStranger = 4410: "A master belongs to another unit.",
    DoctorRecord = 4411: "What install changed is not known.",
    DoctorSeveralTags = 4412: "The node is prepared for several tags.",
    DoctorWritableProgram = 4413: "Others than root can write a master's program.",

    // doctor: the resource.
    DoctorResourceUnknown = 4501: "LifeKeeper does not list its resources.",
    DoctorOtherKind = 4502: "The resource is another kit's.",
    DoctorNoResource = 4503: "LifeKeeper has no such resource.",
    DoctorRunsOutOfService = 4504: "Dovecot runs where it is out of service.",
    DoctorNotRunning = 4505: "Dovecot does not run where it is in service.",
    DoctorResourceFailed = 4506: "LifeKeeper calls the resource failed.",
    DoctorDependenciesUnknown = 4507: "What the resource depends on is not known.",
    DoctorNoDependency = 4508: "The resource does not depend on an IP resource.",
    DoctorNoIpResource = 4509: "No IP resource has an address.",
    DoctorNoCopy = 4510: "LifeKeeper has no copy of an action.",
    DoctorForeignCopy = 4511: "A copy is not the kit's.",
    DoctorCopyMode = 4512: "A copy is not executable.",
    DoctorStubs = 4513: "A program of the kit cannot be run.",
    DoctorStubsEdited = 4514: "A program of the kit was changed.",
    DoctorExtensionUnknown = 4515: "To which nodes the resource is extended is not known.",
    DoctorNotExtended = 4516: "The resource is not extended to a node.",

    // doctor: the nodes together.
    DoctorLifeKeeperVersions = 4601: "LifeKeeper's versions differ.",
    DoctorDovecotVersions = 4602: "Dovecot's versions differ.",
    DoctorKitVersions = 4603: "The kit's versions differ.",
    DoctorConfigurations = 4604: "Dovecot's configuration differs.",
    DoctorSettings = 4605: "The settings differ.",
    DoctorCopies = 4606: "LifeKeeper's copies differ.",
    DoctorRunsTwice = 4607: "Dovecot runs on more than one node.",
    DoctorInServiceTwice = 4608: "The resource is in service on more than one node.",
    DoctorAddressTwice = 4609: "An address is on more than one node.",
    DoctorNoPeers = 4610: "No other node was asked.",
    DoctorPeersUnknown = 4611: "LifeKeeper does not list the other nodes.",
    DoctorPeerDead = 4612: "A node is not alive.",
    DoctorPeerTag = 4613: "The tag cannot be passed to another node.",
    DoctorPeerVersion = 4614: "A node has another version of the kit.",
    DoctorPeerGarbage = 4615: "The answer of a node is not understood.",
    DoctorPeerSilent = 4616: "A node gave no answer.",
    DoctorAccounts = 4617: "The login check's accounts differ.",
    DoctorRestarts = 4618: "systemd restarts Dovecot on some nodes alone.",
}

impl Message {
    /// Reads a number as people type it: `ARK1101`, `ark1101` or `1101`.
    ///
    /// # Errors
    ///
    /// That no message has it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.to_ascii_uppercase().trim_start_matches("ARK").to_owned();
        let found = Self::ALL.iter().find(|message| digits(message.code()) == digits(text));
        found.copied().ok_or_else(|| "no message has this number".to_owned())
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A message with its words.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Remark {
    /// Its number, such as `ARK1101`.
    #[serde(rename = "number")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) message: Message,
    /// What is said in this case.
    pub(crate) text: String,
}

impl Remark {
    /// Says this under the number of a message.
    pub(crate) fn new(message: Message, text: impl Into<String>) -> Self {
        Self { message, text: text.into() }
    }

    /// Each with its number before the words.
    pub(crate) fn numbered(remarks: &[Self]) -> Vec<String> {
        let numbered = |Self { message, text }: &Self| format!("{}: {text}", message.code());
        remarks.iter().map(numbered).collect()
    }

    /// The words alone.
    pub(crate) fn texts(remarks: &[Self]) -> Vec<String> {
        remarks.iter().map(|remark| remark.text.clone()).collect()
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The number of a record of the log, if it has one.
pub(crate) fn number_of<'a>(record: &::log::Record<'a>) -> Option<&'a str> {
    let is_numbered = record.level() <= ::log::Level::Warn;
    Some(record.target()).filter(|target| is_numbered && target.starts_with("ARK"))
}

/// Logs a warning: `warning!(Message::NoLock, "{cause}")`.
macro_rules! warning {
    ($message:expr, $($text:tt)+) => {
        ::log::log!(target: $crate::messages::Message::code($message), ::log::Level::Warn, $($text)+)
    };
}

/// Logs an error: `error!(cause.message(), "{cause}")`.
macro_rules! error {
    ($message:expr, $($text:tt)+) => {
        ::log::log!(target: $crate::messages::Message::code($message), ::log::Level::Error, $($text)+)
    };
}

pub(crate) use {error, warning};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_four_digits_and_one_message_and_they_stand_in_their_order() {
        for message in Message::ALL {
            let digits = message.code().strip_prefix("ARK").unwrap_or_default();
            assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{message:?}");
        }
        let codes: Vec<&str> = Message::ALL.iter().map(|message| message.code()).collect();
        for text in ["ARK1101", "ark1101", "1101"] {
            assert_eq!(Message::parse(text), Ok(Message::Fault), "{text}");
        }
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    }
}
