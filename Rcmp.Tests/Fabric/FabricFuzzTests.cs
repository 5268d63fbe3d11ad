using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

/// <summary>Random frames, in random pieces, against the real server over loopback. What it answers may be anything the protocol knows; the memory around the frames
/// stays as it was, and others are served.</summary>
public sealed class FabricFuzzTests
{
    private const int Seed = 20261123;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void RandomRequestsInRandomPiecesAreAnsweredOrEndTheConnection(int round)
    {
        using var served = new ServedMemory("tcp", options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, ServiceThreads: round));
        var random = new Random(Seed + round);
        var table = served.PageTable.ToArray();
        var rows = Enumerable.Range(0, (int)ServedMemory.FrameCount).SelectMany(frame => served.Row(new FrameIndex((uint)frame)).ToArray()).ToArray();
        var answered = 0;
        for (var connection = 0; connection < 150; connection++)
        {
            using var peer = new RawPeer(served, role: (ConnectionRole)(1 + connection % 2));
            peer.Socket.ReceiveTimeout = 50;
            foreach (var piece in Pieces(Requests(peer, random), random))
            {
                if (!TrySend(peer, piece)) break;
            }

            for (; TryAnswer(peer); answered++)
            {
            }
        }

        Assert.True(answered > 100, $"only {answered} requests were answered: the server was hardly reached");
        Assert.Equal(table, served.PageTable.ToArray());
        Assert.Equal(rows, Enumerable.Range(0, (int)ServedMemory.FrameCount).SelectMany(frame => served.Row(new FrameIndex((uint)frame)).ToArray()).ToArray());
        Assert.All(served.GuardSlots.ToArray(), slot => Assert.Equal(0UL, slot.Page));
        AssertServes(served);
    }

    [Fact]
    public void EveryByteOfTheIntroductionCounts()
    {
        using var served = new ServedMemory("tcp");
        using (new RawPeer(served))
        {
        }

        var random = new Random(Seed);
        for (var at = 0; at < 64; at++)
        {
            // The connection's name may be any but 0, and two roles exist.
            if (at is >= 24 and < 32 or 63) continue;
            using var peer = new RawPeer(served, greet: false);
            var greeting = peer.Greeting();
            greeting[at] ^= (byte)(1 << random.Next(8));
            peer.Send(greeting);
            var welcome = peer.Receive(32);
            Assert.True(welcome is not null && BinaryPrimitives.ReadUInt32LittleEndian(welcome.AsSpan(8)) != 0, $"byte {at}");
            Assert.Null(peer.Receive(1));
        }

        Assert.Equal(55, served.Server.Counters.Refused);
        AssertServes(served);
    }

    [Fact]
    public void AFloodOfConnectionsTakesABoundedNumberOfDescriptorsAndKeepsNobodyOut()
    {
        const int limit = 8;
        using var served = new ServedMemory("tcp", options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, MaxConnections: limit));
        using var before = served.Connect();
        var flood = new List<Socket>();
        try
        {
            var descriptors = Descriptors();
            for (var i = 0; i < 700; i++)
            {
                flood.Add(new RawPeer(served, greet: false).Socket);
                // Some say half of their introduction, and some say it wrong.
                if (i % 3 == 1) flood[^1].Send(new byte[30]);
                if (i % 100 == 50) AssertServes(served);
            }

            AssertServes(served);
            // Our own ends of the flood, and the server's.
            var servers = Descriptors() - descriptors - flood.Count;
            Assert.InRange(servers, 0, limit + 2 * 129 + 20);
            Assert.Equal(FabricStatus.Ok, before.Do(FabricOp.Read, 1).Status);
        }
        finally
        {
            flood.ForEach(socket => socket.Dispose());
        }
    }

    [Fact]
    public void ConnectionsBeyondTheLimitAreToldWhichSettingItIs()
    {
        using var served = new ServedMemory("tcp", options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, MaxConnections: 1));
        using var first = served.Connect();
        var status = ServedMemory.TryConnect(served.Record(ServedMemory.Link()), ConnectionRole.Client, out _, out var error);
        Assert.Equal(FabricConnectStatus.Refused, status);
        Assert.Contains("rcmp.fabric.max-connections", error);
    }

    /// <summary>One byte a second would keep a place for a minute.</summary>
    [Fact]
    public async Task AStrangerThatIntroducesItselfByTheByteIsClosedInTime()
    {
        using var served = new ServedMemory("tcp");
        served.Server.AcceptRegistration(ServedMemory.Link());
        using var peer = new RawPeer(served, greet: false);
        var greeting = peer.Greeting();
        var started = Stopwatch.GetTimestamp();
        var sent = 0;
        peer.Socket.ReceiveTimeout = 1;
        var closed = false;
        while (!closed && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(20))
        {
            closed = sent >= 60 || !TrySend(peer, greeting.AsSpan(sent, 1).ToArray()) || IsClosed(peer);
            sent++;
            await Task.Delay(400);
        }

        Assert.True(closed && sent < 30, $"{sent} bytes were taken in {Stopwatch.GetElapsedTime(started)}");
        AssertServes(served);
    }

    [Fact]
    public void SlowPeersDoNotSlowOthers()
    {
        using var served = new ServedMemory("tcp", pageShift: 16);
        var slow = new List<RawPeer>();
        try
        {
            for (var i = 0; i < 40; i++)
            {
                var peer = new RawPeer(served);
                // Half a head, half a write, or answers that nobody reads.
                if (i % 3 == 0) peer.Send(peer.Request(FabricOp.Read, 1, 0, 64)[..31]);
                else if (i % 3 == 1) peer.Send(peer.Request(FabricOp.Write, 1, 0, 65536), new byte[1000]);
                else peer.Send([.. Enumerable.Repeat(peer.Request(FabricOp.Read, 1, 0, 65536), 50)]);
                slow.Add(peer);
            }

            using var other = served.Connect();
            var started = Stopwatch.GetTimestamp();
            for (var i = 0; i < 500; i++) Assert.Equal(FabricStatus.Ok, other.Do(FabricOp.FetchAdd, 2, operand: 1).Status);
            Assert.Equal(500UL, served.Words(new PageId(2))[0]);
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10));
        }
        finally
        {
            slow.ForEach(peer => peer.Dispose());
        }
    }

    /// <summary>The backend's own sources under the address and undefined-behaviour sanitizers, with peers that send the like of the above, and with an owner that answers so.</summary>
    [Theory]
    [Trait("Tier", "long")]
    [InlineData("fuzz_tcp.c", 2000, 12)]
    [InlineData("fuzz_tcp.c", 2000, 21)]
    [InlineData("fuzz_tcp_client.c", 300, 12)]
    [InlineData("fuzz_tcp_client.c", 60, 18)]
    public void TheSanitizersFindNothing(string source, int connections, int pageShift)
    {
        var folder = Directory.CreateTempSubdirectory("rcmp-fuzz-");
        try
        {
            var program = Path.Combine(folder.FullName, "fuzz");
            var native = Path.Combine(Repository.SourceTree.Root, "Rcmp.Core", "native");
            string[] arguments =
            [
                "-std=gnu11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-pthread", "-I", native, "-o", program,
                Path.Combine(Repository.SourceTree.Root, "Rcmp.Tests", "native", source), .. Directory.GetFiles(native, "*.c"), "-ldl",
            ];
            var (built, messages) = Run("gcc", arguments);
            if (built != 0 && messages.Contains("cannot find -lasan", StringComparison.Ordinal)) Assert.Skip("gcc has no address sanitizer here (package libasan)");
            Assert.True(built == 0, messages);
            var seed = Environment.TickCount;
            var (code, output) = Run(program, [$"{seed}", $"{connections}", $"{pageShift}"]);
            Assert.True(code == 0, $"seed {seed}: {output}");
        }
        finally
        {
            folder.Delete(true);
        }
    }

    private static (int Code, string Output) Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    /// <summary>A stream of requests, most of them nearly right.</summary>
    private static byte[] Requests(RawPeer peer, Random random)
    {
        var stream = new MemoryStream();
        for (var count = random.Next(1, 40); count > 0; count--)
        {
            var length = random.Next(4) switch { 0 => 8, 1 => random.Next(0, 4200), 2 => 4096, _ => random.Next() };
            var offset = random.Next(3) switch { 0 => 0, 1 => random.Next(0, 4200), _ => random.Next() };
            var op = (FabricOp)random.Next(0, 9);
            var request = peer.Request(op, random.Next(0, 12), (uint)offset, (uint)length, frame: (uint)random.Next(0, 10));
            if (random.Next(6) == 0) request[random.Next(16, 64)] ^= (byte)(1 << random.Next(8));
            if (random.Next(60) == 0) request[random.Next(64)] = (byte)random.Next(256);
            stream.Write(request);
            if (op != FabricOp.Write || length > 4200) continue;
            // The payload, or less of it, or more: then what follows is taken for something else.
            var payload = new byte[random.Next(12) == 0 ? random.Next(0, 5000) : length];
            random.NextBytes(payload);
            stream.Write(payload);
        }

        return stream.ToArray();
    }

    private static IEnumerable<byte[]> Pieces(byte[] stream, Random random)
    {
        for (var at = 0; at < stream.Length;)
        {
            var length = Math.Min(stream.Length - at, random.Next(3) switch { 0 => random.Next(1, 70), 1 => random.Next(1, 1500), _ => stream.Length });
            yield return stream[at..(at + length)];
            at += length;
        }
    }

    private static bool TrySend(RawPeer peer, byte[] bytes)
    {
        try
        {
            peer.Send(bytes);
            return true;
        }
        catch (SocketException)
        {
            return false; // closed by the server while it was still sending
        }
    }

    private static bool TryAnswer(RawPeer peer)
    {
        try
        {
            return peer.Receive(16) is not null;
        }
        catch (SocketException)
        {
            return false; // no more answers
        }
    }

    private static bool IsClosed(RawPeer peer)
    {
        try
        {
            return peer.Receive(1) is null;
        }
        catch (SocketException)
        {
            return false; // nothing to read yet
        }
    }

    private static int Descriptors() => Directory.GetFiles("/proc/self/fd").Length;

    private static void AssertServes(ServedMemory served)
    {
        using var caller = served.Connect();
        Assert.Equal(FabricStatus.Ok, caller.Do(FabricOp.Read, 2).Status);
    }
}
