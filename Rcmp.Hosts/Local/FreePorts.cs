using System.Net;
using System.Net.Sockets;

namespace Rcmp.Hosts.Local;

/// <summary>Ports of the loopback that nobody uses now.</summary>
internal static class FreePorts
{
    public static int[] Take(int count)
    {
        // All are held at once, so that none is given twice.
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        try
        {
            foreach (var listener in listeners) listener.Start();
            return [.. listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)];
        }
        finally
        {
            foreach (var listener in listeners) listener.Dispose();
        }
    }
}
