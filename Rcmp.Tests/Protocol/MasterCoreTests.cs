using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Protocol;

public class MasterCoreTests
{
    private static readonly PoolSettings Settings = new(new Guid(9, 0, 0, new byte[8]), 4096, 64, 1);

    private readonly Effects _effects = new();

    private sealed class Effects : IMasterEffects
    {
        public List<(string Node, IPoolProtocol Message)> Sent { get; } = [];

        public List<RosterChanged> Rosters { get; } = [];

        public T Last<T>() => Assert.IsType<T>(Sent[^1].Message);

        public void SendToNode(string nodeAddress, IPoolProtocol message) => Sent.Add((nodeAddress, message));

        public void Broadcast(RosterChanged roster) => Rosters.Add(roster);

        public void Log(RackLogLevel level, string message)
        {
        }
    }

    private static MasterCore NewMaster(PoolSettings? settings = null) => new(new MasterOptions { Settings = settings, GraceNs = 0 });

    private static Guid Region(int n) => new(n, 0, 0, new byte[8]);

    private static RegisterRack Register(int region, int number = 0, ulong generation = 1, RosterChanged? roster = null, PoolSettings? settings = null) => new(
        Region(region), new RackId((ushort)number), new Generation(generation), $"node{region}", settings ?? Settings, roster?.Version ?? 0,
        roster?.Entries ?? ValueList<RosterEntry>.Empty, 100, 50, 0);

    private RackId Join(MasterCore master, int region)
    {
        master.Handle(Register(region), 1, _effects);
        var number = _effects.Last<RackRegistered>().Rack;
        master.Handle(Register(region, number.Value), 1, _effects);
        Assert.Equal(number, _effects.Last<RackRegistered>().Rack);
        return number;
    }

    [Fact]
    public void ANewRegionGetsTheHighestNumberPlusOneAndJoinsOnceItHasStoredIt()
    {
        var master = NewMaster();
        master.Handle(Register(1), 1, _effects);
        Assert.Equal(new RackId(1), _effects.Last<RackRegistered>().Rack);
        Assert.Empty(master.Roster.Entries);
        master.Handle(Register(1, 1), 1, _effects);
        Assert.Single(master.Roster.Entries);
        Assert.Equal(new RackId(2), Join(master, 2));
        Assert.Equal(2, _effects.Rosters[^1].Entries.Count);
    }

    [Fact]
    public void NoNumberIsGivenOutUntilEveryRackOfTheRosterHasAnsweredOrWasForgotten()
    {
        var first = NewMaster();
        Join(first, 1);
        Join(first, 2);
        var second = NewMaster();
        second.Handle(Register(1, 1, roster: first.Roster), 1, _effects);
        second.Handle(Register(3), 1, _effects);
        Assert.Equal(RegistrationProblem.Waiting, _effects.Last<RegistrationRefused>().Problem);
        second.Handle(new ForgetRack(default, "operator", new RackId(2)), 1, _effects);
        second.Handle(Register(3), 1, _effects);
        Assert.Equal(new RackId(3), _effects.Last<RackRegistered>().Rack);
    }

    [Fact]
    public void AMasterThatHasJustStartedGivesOutNoNumber()
    {
        var master = new MasterCore(new MasterOptions { GraceNs = 100 });
        master.Handle(Register(1), 1, _effects);
        Assert.Equal(RegistrationProblem.Waiting, _effects.Last<RegistrationRefused>().Problem);
        master.Handle(Register(1), 102, _effects);
        Assert.Equal(new RackId(1), _effects.Last<RackRegistered>().Rack);
    }

    [Fact]
    public void ADifferentSettingIsRefusedNamingBothValues()
    {
        var master = NewMaster(Settings);
        master.Handle(Register(1, settings: Settings with { PageSize = 8192 }), 1, _effects);
        var refused = _effects.Last<RegistrationRefused>();
        Assert.Equal(RegistrationProblem.Mismatch, refused.Problem);
        Assert.Contains("4096", refused.Why, StringComparison.Ordinal);
        Assert.Contains("8192", refused.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void ARackOfAnotherRegionFormatIsRefusedNamingBoth()
    {
        var master = NewMaster(Settings with { FormatVersion = 71 });
        master.Handle(Register(1, settings: Settings with { FormatVersion = 72 }), 1, _effects);
        var refused = _effects.Last<RegistrationRefused>();
        Assert.Equal(RegistrationProblem.Mismatch, refused.Problem);
        Assert.Contains("71", refused.Why, StringComparison.Ordinal);
        Assert.Contains("72", refused.Why, StringComparison.Ordinal);
        Assert.Empty(master.Roster.Entries);
    }

    [Fact]
    public void ThereAre4095NumbersAndTheRackBehindThemIsRefused()
    {
        var master = NewMaster();
        // All but the last were given out, and removed since, so that nobody has to answer first: a number never comes back.
        var entries = Enumerable.Range(1, RackId.Max - 1).Select(n => new RosterEntry(new RackId((ushort)n), Region(n), new Generation(1), $"node{n}", Forgotten: true));
        master.Handle(new RosterChanged(1, ValueList<RosterEntry>.Of(entries)), 1, _effects);
        Assert.Equal(new RackId(RackId.Max), Join(master, 5001));
        master.Handle(Register(5002), 1, _effects);
        var refused = _effects.Last<RegistrationRefused>();
        Assert.Equal(RegistrationProblem.RosterFull, refused.Problem);
        Assert.Equal("all 4095 region numbers of the pool were given out. See docs/failures/limits.md.", refused.Why);
        // The page about limits, and not that about full racks, which the exception names by itself.
        Assert.Equal(refused.Why, new PoolExhaustedException(refused.Why, isTransient: false).Message);

        // Whoever has a number is served as before.
        master.Handle(Register(5001, RackId.Max), 1, _effects);
        Assert.Equal(new RackId(RackId.Max), _effects.Last<RackRegistered>().Rack);
    }

    [Fact]
    public void AForgottenRackStaysOutWhateverItsGeneration()
    {
        var master = NewMaster();
        Join(master, 1);
        master.Handle(new ForgetRack(default, "operator", new RackId(1)), 1, _effects);
        master.Handle(Register(1, 1, generation: 5), 1, _effects);
        Assert.Equal(RegistrationProblem.Forgotten, _effects.Last<RegistrationRefused>().Problem);
        Assert.Equal(new RackId(2), Join(master, 2));
    }

    [Fact]
    public void ANumberBelongsToOneRegion()
    {
        var master = NewMaster();
        Join(master, 1);
        master.Handle(Register(2, 1), 1, _effects);
        Assert.Equal(RegistrationProblem.NumberTaken, _effects.Last<RegistrationRefused>().Problem);
    }

    [Fact]
    public void RoomIsOfferedOnlyOnceUntilTheRackReportsAgain()
    {
        var master = NewMaster();
        Join(master, 1);
        Join(master, 2);
        var asker = new RackIncarnation(new RackId(1), new Generation(1));
        master.Handle(new AskRoom(asker, default, 40), 1, _effects);
        Assert.Equal(new RackRoom(new RackId(2), 40), Assert.Single(_effects.Last<RoomOffered>().Rooms));
        master.Handle(new AskRoom(asker, default, 40), 1, _effects);
        Assert.Equal(new RackRoom(new RackId(2), 10), Assert.Single(_effects.Last<RoomOffered>().Rooms));
    }

    [Fact]
    public void NoRoomIsOfferedInARackThatHasBeenSilent()
    {
        var master = NewMaster();
        Join(master, 1);
        Join(master, 2);
        var asker = new RackIncarnation(new RackId(1), new Generation(1));
        var later = new MasterOptions().SilenceNs + 10;
        master.Handle(new AskRoom(asker, default, 1), later, _effects);
        Assert.Empty(_effects.Last<RoomOffered>().Rooms);
        master.Handle(Register(2, 2), later, _effects);
        master.Handle(new AskRoom(asker, default, 1), later + 1, _effects);
        Assert.Single(_effects.Last<RoomOffered>().Rooms);
    }

    [Fact]
    public void ADrainedRackIsEmptiedThenForgotten()
    {
        var master = NewMaster();
        Join(master, 1);
        master.Handle(Register(1, 1) with { PagesUsed = 3 }, 1, _effects);
        master.Handle(new DrainRack(default, "operator", new RackId(1)), 1, _effects);
        _effects.Last<EmptyRack>();

        // It may have got pages since it said that it has none: only its own word that it has left counts.
        master.Handle(Register(1, 1), 1, _effects);
        Assert.False(master.Roster.Entries[0].Forgotten);
        var left = ValueList<RosterEntry>.Of(master.Roster.Entries.Select(e => e with { Forgotten = true }));
        master.Handle(Register(1, 1) with { Roster = left }, 1, _effects);
        Assert.Contains(_effects.Sent, s => s is { Node: "operator", Message: AdminAnswered { Ok: true } });
        Assert.True(master.Roster.Entries[0].Forgotten);
        master.Handle(new DrainRack(default, "repeated", new RackId(1)), 1, _effects);
        Assert.Contains(_effects.Sent, s => s is { Node: "repeated", Message: AdminAnswered { Ok: true } });
    }

    [Fact]
    public void ARemovalIsAnsweredWhenARackThatStaysHasStoredIt()
    {
        var master = NewMaster();
        Join(master, 1);
        Join(master, 2);
        var before = master.Roster;
        var order = new ForgetRack(new RequestId(5), "operator", new RackId(2));
        master.Handle(order, 1, _effects);
        master.Handle(order, 1, _effects);
        master.Handle(Register(1, 1, roster: before), 1, _effects);
        Assert.DoesNotContain(_effects.Sent, s => s.Message is AdminAnswered);
        var removed = master.Roster;
        master.Handle(Register(1, 1, roster: removed), 1, _effects);
        Assert.True(Assert.Single(_effects.Sent.Select(s => s.Message).OfType<AdminAnswered>()).Ok);

        // Later ones are answered at once, also by a master that has heard of it from the rack.
        var second = NewMaster();
        second.Handle(Register(1, 1, roster: removed), 1, _effects);
        second.Handle(order with { ReplyTo = "again" }, 1, _effects);
        Assert.Contains(_effects.Sent, s => s is { Node: "again", Message: AdminAnswered { Ok: true } });
    }

    [Fact]
    public void ARemovalThatNobodyCouldRememberIsRefused()
    {
        var first = NewMaster();
        Join(first, 1);
        Join(first, 2);
        var second = NewMaster();
        second.Handle(first.Roster, 1, _effects);
        second.Handle(new ForgetRack(default, "operator", new RackId(2)), 1, _effects);
        Assert.False(_effects.Last<AdminAnswered>().Ok);
    }
}
