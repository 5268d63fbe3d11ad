using Akka.Actor;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Cluster;

/// <summary>What a node keeps of the rosters that it is told, also by a master that knows less than the one before it.</summary>
[Collection(ClusterCollection.Name)]
public sealed class NodeRosterTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly Guid Region = Guid.NewGuid();

    private readonly ActorSystem _system = ActorSystem.Create("roster");
    private readonly NodeRoster _roster;
    private readonly Inbox _listener;

    public NodeRosterTests()
    {
        _roster = new NodeRoster(_system);
        _listener = Inbox.Create(_system);
        _roster.Subscribe(_listener.Receiver);
    }

    [Fact]
    public void ARackThatANewMasterCountsFromTheBeginningIsFoundAtOnce()
    {
        Assert.True(_roster.Offer(Roster(12, Entry(1))));
        Assert.True(_roster.Offer(Roster(1, Entry(2))));

        Assert.NotNull(_roster.FindRack(new RackId(1)));
        Assert.NotNull(_roster.FindRack(new RackId(2)));
        Assert.Equal(12, _roster.Current.Version);
        Assert.Single(Told().Entries);
        Assert.Equal(2, Told().Entries.Count);
    }

    [Fact]
    public void WhatWasRemovedStaysSo()
    {
        Assert.True(_roster.Offer(Roster(3, Entry(1, forgotten: true))));
        Assert.True(_roster.Offer(Roster(4, Entry(1), Entry(2))));

        Assert.Null(_roster.FindRack(new RackId(1)));
        Assert.NotNull(_roster.FindRack(new RackId(2)));
    }

    [Fact]
    public void WhatIsKnownIsToldNobody()
    {
        Assert.True(_roster.Offer(Roster(3, Entry(1), Entry(2))));
        Assert.False(_roster.Offer(Roster(3, Entry(1), Entry(2))));
        Assert.False(_roster.Offer(Roster(2, Entry(1))));

        Assert.Equal(2, Told().Entries.Count);
        _listener.Receiver.Tell("nothing else");
        Assert.Equal("nothing else", _listener.Receive(Patience));
    }

    public void Dispose()
    {
        _listener.Dispose();
        _system.Terminate().Wait(Patience);
        _system.Dispose();
    }

    private static RosterEntry Entry(ushort rack, bool forgotten = false) => new(new RackId(rack), Region, new Generation(1), $"akka.tcp://rcmp@127.0.0.1:{rack}", forgotten);

    private static RosterChanged Roster(long version, params RosterEntry[] entries) => new(version, ValueList<RosterEntry>.Of(entries));

    private RosterChanged Told() => Assert.IsType<RosterChanged>(_listener.Receive(Patience));
}
