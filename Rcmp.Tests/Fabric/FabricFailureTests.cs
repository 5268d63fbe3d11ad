using System.Diagnostics;
using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

/// <summary>An owner that dies, hangs or talks nonsense gives clean errors in time.</summary>
public sealed class FabricFailureTests
{
    [Fact]
    public async Task ADeadlineEndsEverythingInFlightAndTheConnection()
    {
        using var owner = new FakeOwner();
        using var served = new ServedMemory("local");
        using var caller = await owner.ConnectAsync(served);
        Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.FetchAdd, 1) with { Token = 1 }));
        Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.Read, 1) with { Token = 2 }));
        var start = Stopwatch.GetTimestamp();
        var completions = new FabricCompletion[4];
        Assert.Equal(2, caller.Connection.Wait(completions, 10_000, 200_000_000));
        var elapsed = Stopwatch.GetElapsedTime(start);
        Assert.InRange(elapsed.TotalMilliseconds, 195, 3000);
        Assert.All(completions[..2], completion => Assert.Equal(FabricStatus.DeadlinePassed, completion.Status));
        Assert.False(caller.Connection.IsUsable);
        Assert.False(caller.Connection.TryPost(caller.Request(FabricOp.Read, 1)));
        Assert.Equal(0, caller.Connection.Wait(completions, 0, 1_000_000));
    }

    [Fact]
    public void ADisposedConnectionIsOfNoUseAndSaysSo()
    {
        using var served = new ServedMemory("local");
        using var caller = served.Connect();
        Assert.True(caller.Connection.IsUsable);
        caller.Connection.Dispose();
        Assert.False(caller.Connection.IsUsable);
        Assert.Throws<ObjectDisposedException>(() => caller.Connection.TryPost(caller.Request(FabricOp.Read, 1)));
        Assert.Throws<ObjectDisposedException>(() => caller.Connection.Flush());
        Assert.Throws<ObjectDisposedException>(() => caller.Connection.Wait(new FabricCompletion[1], 0, 1));
        Assert.Throws<ObjectDisposedException>(() => caller.Connection.Exchange([], out _, new FabricCompletion[1], 0, 1));
    }

    [Fact]
    public async Task AnOwnerThatHangsUpInFlightIsAConnectionLostAtOnce()
    {
        using var owner = new FakeOwner();
        using var served = new ServedMemory("local");
        using var caller = await owner.ConnectAsync(served);
        Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.FetchAdd, 1)));
        caller.Connection.Flush();
        owner.Receive(64);
        owner.Close();
        var start = Stopwatch.GetTimestamp();
        var completions = new FabricCompletion[1];
        Assert.Equal(1, caller.Connection.Wait(completions, 0, FabricCaller.Timeout));
        Assert.Equal(FabricStatus.ConnectionLost, completions[0].Status);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task WhatWasPostedAfterTheOwnerHungUpIsNotSentAndMayBeRepeated()
    {
        using var owner = new FakeOwner();
        using var served = new ServedMemory("local");
        using var caller = await owner.ConnectAsync(served);
        owner.Close();
        await Task.Delay(20, TestContext.Current.CancellationToken); // longer than the pause after which a connection is looked at before it is used
        Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.Write, 1)));
        var completions = new FabricCompletion[1];
        Assert.Equal(1, caller.Connection.Wait(completions, 0, FabricCaller.Timeout));
        Assert.Equal(FabricStatus.NotSent, completions[0].Status);
    }

    [Fact]
    public async Task RequestsOfWhichNoByteLeftAreNotSent()
    {
        using var owner = new FakeOwner(pageShift: 21);
        using var served = new ServedMemory("local", pageShift: 21);
        using var caller = await owner.ConnectAsync(served);
        var window = caller.Connection.Window;
        for (var i = 0; i < window; i++)
            Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.Write, 1, 0, served.PageSize) with { Token = (ulong)i }));
        var completions = new FabricCompletion[window];
        Assert.Equal(window, caller.Connection.Wait(completions, 0, 300_000_000));
        Assert.Equal(FabricStatus.DeadlinePassed, completions[0].Status);
        Assert.Equal(FabricStatus.NotSent, completions[^1].Status);
        var sent = completions.TakeWhile(completion => completion.Status == FabricStatus.DeadlinePassed).Count();
        Assert.All(completions[sent..], completion => Assert.Equal(FabricStatus.NotSent, completion.Status));
    }

    [Fact]
    public async Task AnAnswerThatFitsNoRequestBreaksTheConnection()
    {
        using var owner = new FakeOwner();
        using var served = new ServedMemory("local");
        using var caller = await owner.ConnectAsync(served);
        Assert.True(caller.Connection.TryPost(caller.Request(FabricOp.Read, 1)));
        caller.Connection.Flush();
        owner.Send(Enumerable.Repeat((byte)0xEE, 16).ToArray());
        var completions = new FabricCompletion[1];
        Assert.Equal(1, caller.Connection.Wait(completions, 0, FabricCaller.Timeout));
        Assert.Equal(FabricStatus.ConnectionLost, completions[0].Status);
        Assert.Equal(-1, caller.Buffer.IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task SomethingElseThatListensIsUnreachableAndSilenceEndsWithTheTimeout()
    {
        using var served = new ServedMemory("local");
        using (var owner = new FakeOwner())
        {
            var connecting = owner.TryConnectAsync(TimeSpan.FromSeconds(5));
            owner.Accept();
            owner.Send("HTTP/1.1 400 Bad Request\r\n\r\nxxxxxxxxxx"u8.ToArray());
            Assert.Equal(FabricConnectStatus.Unreachable, (await connecting).Status);
        }

        using (var silent = new FakeOwner())
        {
            var start = Stopwatch.GetTimestamp();
            Assert.Equal(FabricConnectStatus.Unreachable, (await silent.TryConnectAsync(TimeSpan.FromMilliseconds(200))).Status);
            Assert.InRange(Stopwatch.GetElapsedTime(start).TotalMilliseconds, 195, 3000);
        }
    }
}
