using System.Buffers.Binary;
using System.Diagnostics;
using Rcmp.Fabric;
using Rcmp.Regions;

namespace Rcmp.Tests.Fabric;

/// <summary>Several requests in one send, and several answers in one receive: half of them, and one that is not like the others.</summary>
public sealed class FabricBatchTests
{
    private const int AnswerBytes = 16;
    private const int Seed = 20261129;

    [Fact]
    public void ABadRequestInTheMiddleOfABatchIsAnsweredInItsPlaceAndTheOthersAreServed()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        for (var page = 1; page <= 5; page++) served.Frame(new PageId((ulong)page)).Fill((byte)page);
        served.SetLocation(new PageId(4), Location.Moving);
        peer.Send(
        [
            .. peer.Request(FabricOp.Read, 1, 0, 4096), .. peer.Request(FabricOp.Read, 2, 4000, 4096), .. peer.Request(FabricOp.Read, 3, 0, 4096),
            .. peer.Request(FabricOp.Read, 4, 0, 4096), .. peer.Request((FabricOp)77, 1, 0, 8), .. peer.Request(FabricOp.Read, 5, 0, 64),
        ]);
        Assert.Equal((FabricStatus.Ok, 1), Answer(peer, 4096));
        Assert.Equal((FabricStatus.OutOfRange, 0), Answer(peer, 4096));
        Assert.Equal((FabricStatus.Ok, 3), Answer(peer, 4096));
        Assert.Equal((FabricStatus.Retry, 0), Answer(peer, 4096));
        Assert.Equal((FabricStatus.Refused, 0), Answer(peer, 8));
        Assert.Equal((FabricStatus.Ok, 5), Answer(peer, 64));
    }

    [Fact]
    public void AWrongKeyInTheMiddleOfABatchEndsTheConnectionBeforeWhatFollows()
    {
        using var served = new ServedMemory("tcp");
        using var peer = new RawPeer(served);
        var add = peer.Request(FabricOp.FetchAdd, 1, 0, 8);
        add[48] = 1;
        peer.Send([.. add, .. add, .. peer.Request(FabricOp.FetchAdd, 1, 0, 8, Guid.NewGuid()), .. add, .. add]);
        while (peer.Answer() is { } status) Assert.Equal(FabricStatus.Ok, status);
        Assert.Equal(2UL, served.Words(new PageId(1))[0]);
        Assert.Equal(1, served.Server.Counters.Refused);
    }

    /// <summary>Cut in each place there is: in a head, between head and payload, in a payload.</summary>
    [Theory]
    [InlineData(12)]
    [InlineData(16)]
    public void HalfABatchIsServedAndTheRestWhenItComes(int pageShift)
    {
        using var served = new ServedMemory("tcp", pageShift);
        using var peer = new RawPeer(served);
        var random = new Random(Seed);
        for (var round = 0; round < 40; round++)
        {
            var payload = new byte[served.PageSize];
            random.NextBytes(payload);
            byte[] batch = [.. peer.Request(FabricOp.Write, 1, 0, (uint)payload.Length), .. payload, .. peer.Request(FabricOp.Read, 1, 0, 64), .. peer.Request(FabricOp.Write, 2, 0, 8), .. payload[..8]];
            var cut = random.Next(1, batch.Length);
            peer.Send(batch[..cut]);
            var whole = 64 + payload.Length;
            if (cut >= whole) Assert.Equal(FabricStatus.Ok, peer.Answer());
            peer.Send(batch[cut..]);
            if (cut < whole) Assert.Equal(FabricStatus.Ok, peer.Answer());
            Assert.Equal(FabricStatus.Ok, peer.Answer());
            Assert.Equal(payload[..64], peer.Receive(64));
            Assert.Equal(FabricStatus.Ok, peer.Answer());
            Assert.Equal(payload, served.Frame(new PageId(1)).ToArray());
            Assert.Equal(payload[..8], served.Frame(new PageId(2))[..8].ToArray());
        }
    }

    /// <summary>What is sent after the guard was cleared is a copy from before: the page belongs to somebody else by then.</summary>
    [Theory]
    [InlineData(13)]
    [InlineData(14)]
    [InlineData(16)]
    [InlineData(21)]
    public void BytesThatLeaveAfterTheGuardAreThoseFromUnderIt(int pageShift)
    {
        using var served = new ServedMemory("tcp", pageShift);
        using var peer = new RawPeer(served);
        var reads = Math.Max((16 << 20) >> pageShift, 24);
        served.Frame(new PageId(1)).Fill(1);
        peer.Send([.. Enumerable.Range(0, reads).SelectMany(_ => peer.Request(FabricOp.Read, 1, 0, (uint)served.PageSize))]);
        AwaitStandstill(served);
        Assert.All(served.GuardSlots.ToArray(), slot => Assert.Equal(0UL, slot.Page));
        served.Frame(new PageId(1)).Fill(2);
        var seen = new HashSet<byte>();
        for (var i = 0; i < reads; i++)
        {
            var (status, value) = Answer(peer, served.PageSize);
            Assert.Equal(FabricStatus.Ok, status);
            seen.Add((byte)value);
        }

        Assert.True(seen.SetEquals([1, 2]), $"only {string.Join(", ", seen)}: the peer did not stand in the way");
    }

    /// <summary>The asking side guesses where the bodies of answers go; one that has no body shifts all behind it.</summary>
    [Fact]
    public async Task AnswersInAnyPiecesWithAnyOneRefusedEndInTheRightBuffers()
    {
        using var served = new ServedMemory("local", 16);
        var random = new Random(Seed);
        for (var round = 0; round < 30; round++)
        {
            using var owner = new FakeOwner(16);
            using var caller = await owner.ConnectAsync(served);
            var lengths = Enumerable.Range(0, random.Next(2, 20)).Select(_ => random.Next(4) switch { 0 => random.Next(0, 9), 1 => 65536, _ => random.Next(900, 9000) }).ToArray();
            using var memory = new Rcmp.Native.NativeBuffer(lengths.Sum() + 1);
            var requests = new FabricRequest[lengths.Length];
            for (int i = 0, at = 0; i < lengths.Length; at += lengths[i++])
                requests[i] = caller.Request(FabricOp.Read, 1, 0, lengths[i]) with { Token = (ulong)i, BufferAddress = memory.Address + at };
            var statuses = lengths.Select(_ => random.Next(4) == 0 ? FabricStatus.Retry : FabricStatus.Ok).ToArray();
            var sending = Task.Run(() => Play(owner, lengths, statuses, new Random(Seed + round)));
            var completions = new FabricCompletion[lengths.Length];
            var count = caller.Connection.Exchange(requests, out var posted, completions, 20_000, FabricCaller.Timeout);
            Assert.Equal(lengths.Length, posted);
            while (count < lengths.Length) count += caller.Connection.Wait(completions.AsSpan(count), 20_000, FabricCaller.Timeout);
            await sending;
            for (int i = 0, at = 0; i < lengths.Length; at += lengths[i++])
            {
                Assert.Equal(((ulong)i, statuses[i]), (completions[i].Token, completions[i].Status));
                if (statuses[i] == FabricStatus.Ok) Assert.DoesNotContain(memory.Span.Slice(at, lengths[i]).ToArray(), value => value != (byte)(i + 1));
            }
        }
    }

    [Fact]
    public void WhatDoesNotFitTheWindowIsLeftToTheCaller()
    {
        using var served = new ServedMemory("tcp");
        using var caller = served.Connect();
        var requests = Enumerable.Repeat(caller.Request(FabricOp.FetchAdd, 1, operand: 1), 100).ToArray();
        var completions = new FabricCompletion[100];
        var done = caller.Connection.Exchange(requests, out var posted, completions, 20_000, FabricCaller.Timeout);
        Assert.Equal(64, posted);
        while (done < 64) done += caller.Connection.Wait(completions, 20_000, FabricCaller.Timeout);
        Assert.Equal(64UL, served.Words(new PageId(1))[0]);
    }

    private static void Play(FakeOwner owner, int[] lengths, FabricStatus[] statuses, Random random)
    {
        var stream = new MemoryStream();
        for (var i = 0; i < lengths.Length; i++)
        {
            var request = owner.Receive(64);
            var answer = new byte[AnswerBytes];
            request.AsSpan(40, 4).CopyTo(answer);
            BinaryPrimitives.WriteUInt32LittleEndian(answer.AsSpan(4), (uint)statuses[i]);
            stream.Write(answer);
            if (statuses[i] == FabricStatus.Ok) stream.Write(Enumerable.Repeat((byte)(i + 1), lengths[i]).ToArray());
        }

        var bytes = stream.ToArray();
        for (int at = 0, length; at < bytes.Length; at += length)
        {
            length = Math.Min(bytes.Length - at, random.Next(3) switch { 0 => random.Next(1, 40), 1 => random.Next(1, 9000), _ => random.Next(1, 200_000) });
            owner.Send(bytes[at..(at + length)]);
            if (random.Next(3) == 0) Thread.Sleep(1);
        }
    }

    /// <summary>Status and the one value that all bytes have; 0 if there are none.</summary>
    private static (FabricStatus Status, int Value) Answer(RawPeer peer, int length)
    {
        var status = peer.Answer();
        Assert.NotNull(status);
        if (status != FabricStatus.Ok) return (status.Value, 0);
        var bytes = peer.Receive(length);
        Assert.NotNull(bytes);
        Assert.True(bytes.AsSpan().IndexOfAnyExcept(bytes[0]) < 0, "bytes of two times in one answer");
        return (status.Value, bytes[0]);
    }

    private static void AwaitStandstill(ServedMemory served)
    {
        var started = Stopwatch.GetTimestamp();
        for (long before = -1, now = 0; now == 0 || before != now; Thread.Sleep(100))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10));
            (before, now) = (now, served.Server.Counters.Reads);
        }
    }
}
