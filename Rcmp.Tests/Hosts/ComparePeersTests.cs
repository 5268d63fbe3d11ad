using System.Net;
using System.Net.Sockets;
using System.Text;
using Rcmp.Hosts.Bench.Compare;

namespace Rcmp.Tests.Hosts;

public sealed class ComparePeersTests
{
    [Fact]
    public void AServerThatIsNotInstalledIsNamedWithTheLineThatBringsIt()
    {
        Assert.Null(PeerServer.TryStart("No one", "rcmp-no-such-server", "apt-get install no-one", [], TestContext.Current.CancellationToken, out var why));
        Assert.Equal("rcmp-no-such-server is missing: apt-get install no-one", why);
    }

    [Fact]
    public void ARowWithoutItsServerSaysWhyAndHoldsNothing()
    {
        var rows = CacheRows.Rows("Redis", 100, null, "redis-server is missing").Concat(WindowRows.Rows(0, null, "mpicc is missing")).ToList();
        Assert.All(rows, row => Assert.Contains("is missing", row.Skipped));
        Assert.All(rows, row => Assert.False(row.FailsRun));
    }

    [Theory]
    [InlineData(100, 20)]
    [InlineData(1024, 20)]
    [InlineData(65536, 4)]
    public void ValuesInTheRackAreHeldAgainstTheServerBySizeAndAcrossRacksAgainstAsFast(int bytes, double floor)
    {
        // GET, SET; read and written in the rack; read and written across racks.
        var rows = CacheRows.Rows("Redis", bytes, [1000 * floor, 1000 * floor, 1000, 1001, 1000 * floor, 1001 * floor], null).ToList();
        Assert.Equal([floor, floor, 1, 1], rows.Select(row => row.Floor!.Value));
        Assert.Equal([false, true, false, true], rows.Select(row => row.FailsRun));
        Assert.Equal(["GET on Redis", "SET on Redis", "GET on Redis", "SET on Redis"], rows.Select(row => row.Against));
    }

    [Fact]
    public void AdaptiveIsHeldAgainstTheBetterOfTheOtherPolicies()
    {
        var row = PolicyCostRows.Row("uniform", false, new Dictionary<string, double> { ["adaptive"] = 110, ["direct-io"] = 100, ["swap"] = 400 });
        Assert.StartsWith("direct-io, ", row.Against);
        Assert.Equal(1.1, row.Ratio);
        Assert.False(row.FailsRun);
        Assert.True(PolicyCostRows.Row("uniform", false, new Dictionary<string, double> { ["adaptive"] = 110, ["direct-io"] = 400, ["swap"] = 90 }).FailsRun);
    }

    [Fact]
    public async Task AnAnswerInPiecesIsPutTogether()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string[][] answers = [["+O", "K\r\n"], ["$1", "0\r", "\n012345", "6789\r\n"], ["$-1\r\n"]];
        var serving = Task.Run(() => Serve(listener, answers), TestContext.Current.CancellationToken);
        using var client = new RespClient(listener.LocalEndpoint);
        client.Set(RespClient.SetRequest("key", "0123456789"u8));
        Assert.Equal("0123456789", Encoding.ASCII.GetString(client.Get(RespClient.GetRequest("key"))));
        Assert.Throws<InvalidDataException>(() => client.Get(RespClient.GetRequest("gone")));
        var requests = await serving;
        Assert.Equal("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$10\r\n0123456789\r\n", requests[0]);
        Assert.Equal("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", requests[1]);
    }

    [Fact]
    public void TheBareStreamsAreBuiltAndMeasured()
    {
        var folder = Directory.CreateTempSubdirectory("rcmp-ping-");
        try
        {
            var ping = BaselineProgram.TryBuild(folder.FullName, "ping.c", out var why);
            Assert.True(ping is not null, why);
            var lines = ping.Run("stream", 50_000, 10);
            Assert.Equal(["read 65536 1", "write 65536 1", "read 2097152 1", "write 2097152 1", "read 64 64"], lines.Select(line => string.Join(' ', line[..3])));
            Assert.All(lines, line => Assert.True(BaselineProgram.Number(line[3]) > 0));
        }
        finally
        {
            folder.Delete(true);
        }
    }

    private static List<string> Serve(TcpListener listener, string[][] answers)
    {
        using var socket = listener.AcceptSocket();
        socket.NoDelay = true;
        var requests = new List<string>();
        var buffer = new byte[4096];
        foreach (var pieces in answers)
        {
            requests.Add(Encoding.ASCII.GetString(buffer, 0, socket.Receive(buffer)));
            foreach (var piece in pieces) socket.Send(Encoding.ASCII.GetBytes(piece));
        }

        return requests;
    }
}
