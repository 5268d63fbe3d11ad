using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Rcmp.Hosts.Local;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>A server that one would use in the pool's place: a process on a port of the loopback, which ends with this, or with this process.</summary>
internal sealed class PeerServer : IDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private readonly Process _keeper;

    private PeerServer(string name, Process keeper, int port) => (Name, _keeper, Port) = (name, keeper, port);

    public string Name { get; }

    public int Port { get; }

    /// <summary>In memory alone.</summary>
    public static PeerServer? TryStartRedis(CancellationToken ct, out string why) =>
        TryStart("Redis", "redis-server", "apt-get install redis-server", ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port"], ct, out why);

    /// <summary>Its package is as large as the rest of the program many times over, so it is not a part of it.</summary>
    public static PeerServer? TryStartGarnet(CancellationToken ct, out string why) =>
        TryStart("Garnet", "garnet-server", "dotnet tool install --global garnet-server", ["--bind", "127.0.0.1", "--memory", "256m", "--index", "16m", "--port"], ct, out why);

    /// <summary>The server, or null and why not: the comparison goes on without it.</summary>
    /// <param name="name">For people.</param>
    /// <param name="program">Looked for where commands are, and where dotnet's tools are.</param>
    /// <param name="install">The one line that brings it.</param>
    /// <param name="arguments">The port is added to them.</param>
    /// <param name="ct">Ends the wait for it.</param>
    /// <param name="why">What is missing.</param>
    internal static PeerServer? TryStart(string name, string program, string install, string[] arguments, CancellationToken ct, out string why)
    {
        why = $"{program} is missing: {install}";
        if (Find(program) is not { } path) return null;
        var port = FreePorts.Take(1)[0];
        var server = new PeerServer(name, StartKept(path, [.. arguments, port.ToString(CultureInfo.InvariantCulture)]), port);
        if (server.Answers(ct))
        {
            why = "";
            return server;
        }

        server.Dispose();
        why = $"{program} does not answer on port {port}: run it by hand to see why";
        return null;
    }

    private static string? Find(string program)
    {
        var tools = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".dotnet", "tools");
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return folders.Append(tools).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
    }

    /// <summary>The shell ends the server when its input ends: then this process is done with it, or gone. In a session of its own, so that a terminal's Ctrl-C leaves that to it.</summary>
    private static Process StartKept(string path, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("setsid") { RedirectStandardInput = true, WorkingDirectory = Path.GetTempPath() };
        start.ArgumentList.Add("/bin/sh");
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("\"$@\" >/dev/null 2>&1 & cat >/dev/null; kill -9 $!");
        start.ArgumentList.Add("sh");
        start.ArgumentList.Add(path);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        // A tool's launcher looks for the runtime where it is usually installed, which is not where it need be.
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));
        return Process.Start(start)!;
    }

    private bool Answers(CancellationToken ct)
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < StartTimeout)
        {
            try
            {
                using var client = new RespClient(new IPEndPoint(IPAddress.Loopback, Port));
                client.Ping();
                return true;
            }
            catch (Exception notYet) when (notYet is SocketException or IOException)
            {
                if (ct.WaitHandle.WaitOne(PollInterval)) return false;
            }
        }

        return false;
    }

    public void Dispose()
    {
        _keeper.StandardInput.Close();
        if (!_keeper.WaitForExit(EndTimeout)) _keeper.Kill(true);
        _keeper.Dispose();
    }
}
