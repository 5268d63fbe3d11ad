using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

public sealed class FabricAdmissionTests
{
    public static TheoryData<string> Backends => new(ServedMemory.Backends);

    [Theory, MemberData(nameof(Backends))]
    public void OnlyTheOwnersKeyIsAccepted(string backend)
    {
        using var served = new ServedMemory(backend);
        var link = ServedMemory.Link();
        served.Server.AcceptRegistration(link);
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(link) with { Key = Guid.NewGuid() }, out var error));
        Assert.Contains("key", error);
        Assert.Equal(FabricConnectStatus.Ok, Try(served.Record(link), out _));
        Assert.Equal(1, served.Server.Counters.Refused);
    }

    [Theory, MemberData(nameof(Backends))]
    public void OnlyTheCurrentRegistrationIsAccepted(string backend)
    {
        using var served = new ServedMemory(backend);
        var link = ServedMemory.Link(registration: 5);
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(link), out _));
        served.Server.AcceptRegistration(link);
        Assert.Equal(FabricConnectStatus.Ok, Try(served.Record(link), out _));
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(link with { Registration = 4 }), out var error));
        Assert.Contains("registration", error);
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(link with { Holder = link.Holder with { Generation = new Generation(4) } }), out _));
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(link with { Owner = link.Owner with { Generation = new Generation(8) } }), out error));
        Assert.Contains("generation", error);
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(ServedMemory.Link(holder: 3, registration: 5)), out _));
    }

    [Theory, MemberData(nameof(Backends))]
    public void AFenceDestroysTheRacksConnectionsAndRefusesNewOnes(string backend)
    {
        using var served = new ServedMemory(backend);
        var link = ServedMemory.Link(holder: 2);
        using var fenced = served.Connect(link: link);
        using var other = served.Connect(link: ServedMemory.Link(holder: 3));
        Assert.Equal(FabricStatus.Ok, fenced.Do(FabricOp.FetchAdd, 1, operand: 1).Status);

        served.Server.Fence(new RackId(2));

        AssertEnds(fenced);
        Assert.Equal(FabricStatus.Ok, other.Do(FabricOp.FetchAdd, 1, operand: 1).Status);
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(link), out _));
        Assert.Equal(2UL, served.Words(new PageId(1))[0]);

        using var again = served.Connect(link: link with { Registration = 2 });
        Assert.Equal(FabricStatus.Ok, again.Do(FabricOp.FetchAdd, 1, operand: 1).Status);
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(link), out _));
    }

    [Theory, MemberData(nameof(Backends))]
    public void ANewRegistrationEndsTheConnectionsOfTheOldOneAndRepeatingItEndsNone(string backend)
    {
        using var served = new ServedMemory(backend);
        using var old = served.Connect();
        served.Server.AcceptRegistration(ServedMemory.Link());
        Assert.Equal(FabricStatus.Ok, old.Do(FabricOp.Read, 1).Status);
        using var recent = served.Connect(link: ServedMemory.Link(registration: 2));
        AssertEnds(old);
        Assert.Equal(FabricStatus.Ok, recent.Do(FabricOp.Read, 1).Status);
    }

    [Theory, MemberData(nameof(Backends))]
    public void DestroyEndsTheNamedConnectionsAlone(string backend)
    {
        using var served = new ServedMemory(backend);
        using var first = served.Connect();
        using var second = served.Connect();
        using var third = served.Connect();
        served.Server.Destroy([first.Connection.Name, 999_999_999, third.Connection.Name]);
        AssertEnds(first);
        AssertEnds(third);
        Assert.Equal(FabricStatus.Ok, second.Do(FabricOp.Read, 1).Status);
        served.Server.Destroy([]);
        Assert.Equal(FabricStatus.Ok, second.Do(FabricOp.Read, 1).Status);
    }

    [Theory, MemberData(nameof(Backends))]
    public void ConnectionsBeyondTheLimitAreRefusedUntilOneCloses(string backend)
    {
        using var served = new ServedMemory(backend, options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, MaxConnections: 2));
        using var first = served.Connect();
        var second = served.Connect();
        Assert.Equal(FabricConnectStatus.Refused, Try(served.Record(ServedMemory.Link()), out var error));
        Assert.Contains("room", error);
        Assert.Equal(FabricStatus.Ok, first.Do(FabricOp.Read, 1).Status);
        second.Dispose();
        Assert.True(SpinWait.SpinUntil(() => Try(served.Record(ServedMemory.Link()), out _) == FabricConnectStatus.Ok, TimeSpan.FromSeconds(5)));
    }

    [Theory, MemberData(nameof(Backends))]
    public void WhenTheServerIsGoneConnectionsEndAndNewOnesAreUnreachable(string backend)
    {
        var served = new ServedMemory(backend);
        var caller = served.Connect();
        var record = served.Record(ServedMemory.Link());
        Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Read, 1).Status);
        served.Server.Dispose();
        AssertEnds(caller);
        Assert.Equal(FabricConnectStatus.Unreachable, Try(record, out var error));
        Assert.Contains(record.Address, error);
        caller.Dispose();
        served.Dispose();
    }

    [Theory]
    [InlineData("udp://127.0.0.1:0", FabricExposeStatus.BadAddress)]
    [InlineData("tcp://127.0.0.1", FabricExposeStatus.BadAddress)]
    [InlineData("tcp://127.0.0.1:99999", FabricExposeStatus.BadAddress)]
    [InlineData("tcp://no-such-host.invalid:0", FabricExposeStatus.BadAddress)]
    [InlineData("tcp://192.0.2.1:0", FabricExposeStatus.BadAddress)]
    [InlineData("local://", FabricExposeStatus.BadAddress)]
    internal void AnAddressThatCannotBeListenedOnIsNamed(string address, FabricExposeStatus expected)
    {
        using var served = new ServedMemory("local");
        var e = Assert.Throws<FabricException>(() => served.ExposeAgain(address));
        Assert.Equal(expected, e.Status);
        Assert.Contains(address, e.Message);
    }

    [Theory, MemberData(nameof(Backends))]
    public void AnAddressInUseIsSaidToBe(string backend)
    {
        using var served = new ServedMemory(backend);
        Assert.Equal(FabricExposeStatus.AddressInUse, Assert.Throws<FabricException>(() => served.ExposeAgain(served.Server.Address)).Status);
    }

    [Fact]
    public void MoreServiceThreadsThanGuardSlotsAreRefused()
    {
        using var served = new ServedMemory("tcp");
        var e = Assert.Throws<FabricException>(() => served.ExposeAgain("tcp://127.0.0.1:0", serviceThreads: 33));
        Assert.Equal(FabricExposeStatus.NoResources, e.Status);
        Assert.Contains("33", e.Message);
    }

    [Fact]
    public void NobodyListeningIsUnreachableInTime()
    {
        var record = new Rcmp.Protocol.LinkRecord(1, ServedMemory.Link(), Guid.NewGuid(), "tcp://127.0.0.1:1");
        Assert.Equal(FabricConnectStatus.Unreachable, Try(record, out _));
        Assert.Equal(FabricConnectStatus.Unreachable, Try(record with { Address = "tcp://no-such-host.invalid:9" }, out _));
        Assert.Equal(FabricConnectStatus.Unreachable, Try(record with { Address = "local://nobody" }, out _));
        Assert.Equal(FabricConnectStatus.NotSupported, Try(record with { Address = "udp://127.0.0.1:1" }, out _));
    }

    [Fact]
    public void VerbsSaysWhyItCannotBeUsedHere()
    {
        if (NativeFabric.IsVerbsAvailable(out var reason))
            Assert.Skip("this machine has an RDMA device");
        Assert.False(string.IsNullOrWhiteSpace(reason));
        using var served = new ServedMemory("local");
        Assert.Equal(FabricExposeStatus.NotSupported, Assert.Throws<FabricException>(() => served.ExposeAgain("verbs://127.0.0.1:0")).Status);
        var record = new Rcmp.Protocol.LinkRecord(1, ServedMemory.Link(), Guid.NewGuid(), "verbs://127.0.0.1:1");
        Assert.NotEqual(FabricConnectStatus.Ok, Try(record, out var error));
        Assert.NotNull(error);
    }

    /// <summary>The connection's next request fails cleanly, and from then on it is unusable.</summary>
    private static void AssertEnds(FabricCaller caller)
    {
        if (caller.Connection.TryPost(caller.Request(FabricOp.FetchAdd, 1, operand: 100)))
        {
            var completions = new FabricCompletion[1];
            Assert.Equal(1, caller.Connection.Wait(completions, 0, FabricCaller.Timeout));
            Assert.True(completions[0].Status is FabricStatus.ConnectionLost or FabricStatus.NotSent, completions[0].Status.ToString());
        }

        Assert.False(caller.Connection.IsUsable);
        Assert.False(caller.Connection.TryPost(caller.Request(FabricOp.Read, 1)));
        Assert.Equal(0, caller.Connection.Wait(new FabricCompletion[1], 0, FabricCaller.Timeout));
    }

    private static FabricConnectStatus Try(Rcmp.Protocol.LinkRecord record, out string? error)
    {
        var status = ServedMemory.TryConnect(record, ConnectionRole.Client, out var connection, out error);
        connection?.Dispose();
        return status;
    }
}
